//go:build linux

package netns_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/netns"
	"github.com/closewait/closewait/internal/privilege"
)

func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// fresh makes a network namespace and runs in, in it, on a thread that then
// ends. Whatever in does not keep ends with the thread.
func fresh(t testing.TB, in func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() { // the main thread must stay at home
			defer runtime.UnlockOSThread()
			inner := make(chan error, 1)
			go func() { inner <- stray(in) }()
			done <- <-inner
			return
		}
		done <- stray(in)
	}()
	err := <-done
	if errors.Is(err, unix.EPERM) {
		privilege.Refused(t, "network namespaces other than the own", err)
	}
	must(t, "make a namespace", err)
}

// stray runs in in a new namespace and leaves the thread there.
func stray(in func() error) error {
	runtime.LockOSThread() // never unlocked: the thread ends with its goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	return in()
}

// threadNS opens the calling thread's namespace.
func threadNS() (*os.File, error) { return os.Open("/proc/thread-self/ns/net") }

// freshFile makes a namespace that only the returned file keeps.
func freshFile(t testing.TB) (f *os.File, id uint64) {
	t.Helper()
	fresh(t, func() (err error) {
		f, err = threadNS()
		return err
	})
	t.Cleanup(func() { _ = f.Close() })
	id, err := netns.Identify(f)
	must(t, "identify", err)
	return f, id
}

// mounted bind-mounts a fresh namespace below a temporary directory, and keeps
// it by nothing else.
func mounted(t testing.TB, name string) (path string, id uint64) {
	t.Helper()
	f, id := freshFile(t)
	path = filepath.Join(t.TempDir(), name)
	must(t, "create", os.WriteFile(path, nil, 0o600))
	must(t, "mount", unix.Mount("/proc/self/fd/"+itoa(f), path, "", unix.MS_BIND, ""))
	t.Cleanup(func() {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			t.Errorf("unmount: %v", err)
		}
	})
	must(t, "close", f.Close())
	return path, id
}

// inhabited starts a process in a fresh namespace, and keeps it by nothing else.
func inhabited(t testing.TB) (pid int, id uint64, end func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "NETNS_TEST_WAIT=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	stdin, err := cmd.StdinPipe()
	must(t, "pipe", err)
	err = cmd.Start()
	if errors.Is(err, fs.ErrPermission) {
		privilege.Refused(t, "namespaces of processes", err)
	}
	must(t, "start", err)
	ended := false
	end = func() {
		if !ended {
			ended = true
			_ = stdin.Close()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(end)
	f, err := os.Open(filepath.Join("/proc", itoaInt(cmd.Process.Pid), "ns/net"))
	must(t, "open", err)
	defer f.Close()
	id, err = netns.Identify(f)
	must(t, "identify", err)
	return cmd.Process.Pid, id, end
}

func list(t testing.TB) netns.Listing {
	t.Helper()
	l, err := netns.List(netns.Options{})
	must(t, "list", err)
	for _, err := range l.Errors {
		t.Errorf("list: %v", err)
	}
	return l
}

// find returns the namespaces of l with the given id: one or none, unless List
// is wrong.
func find(l netns.Listing, id uint64) []netns.Namespace {
	return slices.DeleteFunc(slices.Clone(l.Namespaces), func(n netns.Namespace) bool { return n.ID != id })
}

func ownID(t testing.TB) uint64 {
	t.Helper()
	f, err := threadNS()
	must(t, "open", err)
	defer f.Close()
	id, err := netns.Identify(f)
	must(t, "identify", err)
	return id
}
