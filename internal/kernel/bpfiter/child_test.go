//go:build linux

package bpfiter

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// childEnv makes the test binary a small program of its own: its value names
// which, and its arguments.
const childEnv = "CLOSEWAIT_BPFITER_CHILD"

func TestMain(m *testing.M) {
	runtime.LockOSThread() // for orphanThreads
	if words := strings.Fields(os.Getenv(childEnv)); len(words) > 0 {
		if err := play(words[0], words[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// play runs a child's part. A child says "ready" on its standard output, and
// ends when its standard input does.
func play(part string, args []string) error {
	switch part {
	case "connect":
		return playConnect(args)
	case "hold":
		return holdUntilEOF()
	case "orphan-threads":
		return orphanThreads()
	case "open-as-nobody":
		if err := openAsNobody(); err != nil {
			return err
		}
		return holdUntilEOF()
	}
	return fmt.Errorf("no such part: %s", part)
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
		_ = holdUntilEOF()
		os.Exit(0)
	}()
	_, _, errno := unix.Syscall(unix.SYS_EXIT, 0, 0, 0)
	return errno
}

func holdUntilEOF() error {
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
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
	return holdUntilEOF()
}

func raiseFileLimit() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
}

// startChild runs the test binary as part and waits until it is ready. extra
// becomes its descriptors from 3 on.
func startChild(t testing.TB, part string, extra ...*os.File) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childEnv+"="+part)
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = extra
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("child %q: %v", part, err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || line != "ready\n" {
		t.Fatalf("child %q said %q: %v", part, line, err)
	}
	return cmd
}
