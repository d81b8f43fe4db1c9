package testbed

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/privilege"
)

// Namespace makes a network namespace with its loopback up. The file keeps it
// alive, and is closed with the test.
func Namespace(t testing.TB) *os.File {
	t.Helper()
	var ns *os.File
	Unshare(t, func() (err error) {
		ns, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	t.Cleanup(func() { _ = ns.Close() })
	return ns
}

// Unshare runs fn in a new network namespace with its loopback up, on a thread that
// ends with it, so that nothing has to be restored. The namespace ends then too,
// unless fn keeps something of it. An error of fn's fails the test.
func Unshare(t testing.TB, fn func() error) {
	t.Helper()
	err := unshare(fn)
	if failed, ok := errors.AsType[*os.SyscallError](err); ok && failed.Syscall == "unshare" && errors.Is(err, unix.EPERM) {
		privilege.Refused(t, "network namespaces other than the own", err)
	}
	if err != nil {
		t.Fatalf("in a new network namespace: %v", err)
	}
}

func unshare(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		defer close(done)      // also when fn ends its goroutine, as testing's FailNow does
		runtime.LockOSThread() // never unlocked: the runtime ends the thread with the goroutine
		if unix.Gettid() == unix.Getpid() {
			// The main thread never ends, and stands for the whole process in
			// /proc/self. While it is locked here, another goroutine is on another one.
			defer runtime.UnlockOSThread()
			done <- unshare(fn)
			return
		}
		err := os.NewSyscallError("unshare", unix.Unshare(unix.CLONE_NEWNET))
		if err == nil {
			err = LoopbackUp()
		}
		if err == nil {
			err = fn()
		}
		done <- err
	}()
	return <-done
}

// LoopbackUp brings the loopback interface of this thread's network namespace up:
// in a new one it is down.
func LoopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}
