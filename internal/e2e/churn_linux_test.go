package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/testbed"
)

// A churning program opens connections, half-closes them, and leaves the end in
// CLOSE_WAIT to a child that holds it for a moment. What a child holds is in its
// arguments and, with its pid and start time, in a common log, so that an owner
// that a look names can be held against both.

// The titles of its processes.
const (
	churnTitle = "(e2e:churn)"
	leafTitle  = "(e2e:leaf)" // holds the inodes that follow, and no other
)

// Descriptors that its processes are started with.
const (
	logFD  = 3
	heldFD = 4
)

// churnLeaves is how many children it has at most.
const churnLeaves = 8

// churnAbout is the part "churn": it runs until its standard input ends. The
// variable churnPids asks for a fast reuse of pids, in a pid namespace of its own.
func churnAbout() error {
	unix.CloseOnExec(logFD)
	if os.Getenv(churnPids) != "" {
		if err := enterPids(); err != nil {
			return err
		}
	}
	if err := netUp(); err != nil {
		return err
	}
	l, err := listener()
	if err != nil {
		return err
	}
	quit := make(chan struct{})
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadString(0)
		close(quit)
	}()
	watched, err := watchFromInside()
	if err != nil {
		return err
	}
	if watched == nil {
		fmt.Println("ready")
	}
	places := make(chan struct{}, churnLeaves)
	var leaves sync.WaitGroup
	for n := 0; ; n++ {
		select {
		case <-quit:
			leaves.Wait()
			if watched != nil {
				return watched()
			}
			return nil
		case places <- struct{}{}:
		}
		if err := leafOn(l, n, &leaves, places); err != nil {
			return err
		}
	}
}

func listener() (int, error) {
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	return l, errors.Join(unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(l, 64))
}

// leafOn makes a connection whose client end is in CLOSE_WAIT and gives it to a
// child.
func leafOn(l, n int, leaves *sync.WaitGroup, places chan struct{}) error {
	name, err := unix.Getsockname(l)
	if err != nil {
		return err
	}
	c, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(c)
	// Ended by a RST, so that no mini-sockets pile up.
	_ = unix.SetsockoptLinger(c, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	if err := unix.Connect(c, name); err != nil {
		return fmt.Errorf("connect to %v: %w", testbed.AddrPort(name), err)
	}
	taken, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(taken)
	if err := unix.Shutdown(taken, unix.SHUT_WR); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(c, &st); err != nil {
		return err
	}
	args := []string{leafTitle, strconv.FormatUint(st.Ino, 10), strconv.Itoa(n % 4), strings.Repeat("x", n%100)}
	env := append(os.Environ(), partVariable+"=leaf")
	pid, err := syscall.ForkExec("/proc/self/exe", args, &syscall.ProcAttr{Env: env, Files: []uintptr{0, 1, 2, logFD, uintptr(c)}})
	if err != nil {
		return fmt.Errorf("start a leaf: %w", err)
	}
	leaves.Go(func() {
		_, _ = syscall.Wait4(pid, nil, 0, nil)
		<-places
	})
	return nil
}

// beLeaf is the part "leaf": it enters itself in the log, holds what it has for a
// moment, and exits, or becomes a leaf that holds it still, or one that holds
// nothing.
func beLeaf() error {
	unix.CloseOnExec(logFD)
	if err := enterInLog(); err != nil {
		return err
	}
	long := 40
	if rand.IntN(4) == 0 {
		long = 2000 // longer than a look takes
	}
	time.Sleep(time.Duration(rand.IntN(long)) * time.Millisecond)
	again := []string{leafTitle, os.Args[1], "0"}
	switch os.Args[2] {
	case "1":
	case "2":
		again[1] = "0"
		unix.CloseOnExec(heldFD)
	default:
		return nil
	}
	return syscall.Exec("/proc/self/exe", again, append(os.Environ(), partVariable+"=leaf"))
}

// enterInLog writes "pid start inode".
func enterInLog() error {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	start := strings.Fields(rest)[19] // field 22 of proc_pid_stat(5)
	_, err = unix.Write(logFD, fmt.Appendf(nil, "%d %s %s\n", os.Getpid(), start, os.Args[1]))
	return err
}

// churnPids, set to a number, makes the part "churn" a pid namespace's init that
// never has more pids than that.
const churnPids = "CLOSEWAIT_E2E_PIDS"

// enterPids gives this process, the first of new pid and mount namespaces, a
// /proc of its own, and few pids. Since Linux 6.14 kernel.pid_max is a pid
// namespace's own.
func enterPids() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts to ourselves: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := os.WriteFile("/proc/sys/kernel/pid_max", []byte(os.Getenv(churnPids)), 0); err != nil {
		return fmt.Errorf("%w: %w", errOldKernel, err)
	}
	return nil
}

// errOldKernel means that the number of pids is the whole machine's to set.
var errOldKernel = errors.New("this kernel has no pid_max of a pid namespace's own")

func netUp() error {
	if os.Getenv(churnPids) == "" {
		return nil
	}
	return testbed.LoopbackUp()
}

// truth is a churning program's log.
type truth map[logged]bool

type logged struct {
	pid   int
	start uint64
	inode uint64
}

func readLog(path string) (truth, error) {
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	out := truth{}
	for line := range strings.Lines(string(text)) {
		var l logged
		if _, err := fmt.Sscan(line, &l.pid, &l.start, &l.inode); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		out[l] = true
	}
	return out, nil
}

// isLoopback: the churning program's connections are between 127.0.0.1 and itself.
func isLoopback(ap netip.AddrPort) bool { return ap.Addr().Unmap().IsLoopback() }
