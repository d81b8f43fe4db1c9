//go:build linux

package bpfiter

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/testbed"
)

func TestMain(m *testing.M) {
	runtime.LockOSThread() // for orphanThreads
	testbed.Play(map[string]testbed.Part{
		"connect":        playConnect,
		"hold":           func([]string) error { return testbed.Hold() },
		"orphan-threads": func([]string) error { return orphanThreads() },
		"open-as-nobody": func([]string) error { return openAsNobody() },
	})
	os.Exit(m.Run())
}

// orphanThreads goes on without the thread that the process began with. TestMain
// has locked itself to that one.
func orphanThreads() error {
	go func() {
		leader := fmt.Sprintf("/proc/%d/task/%[1]d/status", os.Getpid())
		for {
			status, err := os.ReadFile(leader)
			if err != nil || strings.Contains(string(status), "State:\tZ") {
				break
			}
		}
		_ = testbed.Hold()
		os.Exit(0)
	}()
	_, _, errno := unix.Syscall(unix.SYS_EXIT, 0, 0, 0)
	return errno
}

// playConnect opens n connections to an address.
func playConnect(args []string) error {
	to, err := netip.ParseAddrPort(args[0])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if err := raiseFileLimit(); err != nil {
		return err
	}
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
			return err
		}
	}
	return testbed.Hold()
}

func raiseFileLimit() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
}
