//go:build linux

package pidfd

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/testbed"
)

// TestMain lets the test binary be the processes that the tests look into.
func TestMain(m *testing.M) {
	testbed.Play(map[string]testbed.Part{"holder": func([]string) error { return holder() }, "stranger": stranger})
	os.Exit(m.Run())
}

// child is a holder that runs.
type child struct {
	*testbed.Child
	t *testing.T
}

func spawn(t *testing.T) *child {
	t.Helper()
	return &child{testbed.Start(t, "holder"), t}
}

// number is Ask for an answer that is a number, such as a descriptor.
func (c *child) number(words ...any) int {
	c.t.Helper()
	n, err := strconv.Atoi(c.Ask(words...))
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

// holder is a process that does with descriptors what its standard input says,
// one command a line, with plain system calls: Go's net package would set
// options and read ahead.
func holder() error {
	runtime.LockOSThread() // unshare is the thread's
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		answer, err := obey(strings.Fields(in.Text()))
		if err != nil {
			return fmt.Errorf("%s: %w", in.Text(), err)
		}
		fmt.Println(answer)
	}
	return in.Err()
}

func obey(words []string) (any, error) {
	switch words[0] {
	case "socket": // family type protocol
		var n [3]int
		for i := range n {
			var err error
			if n[i], err = strconv.Atoi(words[i+1]); err != nil {
				return nil, err
			}
		}
		return unix.Socket(n[0], n[1]|unix.SOCK_CLOEXEC, n[2])
	case "open":
		return unix.Open(words[1], unix.O_RDONLY|unix.O_CLOEXEC, 0)
	case "unshare": // into a network namespace of its own; tells its inode
		var st unix.Stat_t
		err := errors.Join(unix.Unshare(unix.CLONE_NEWNET), unix.Stat("/proc/thread-self/ns/net", &st))
		return st.Ino, err
	}
	fd, err := strconv.Atoi(words[1])
	if err != nil {
		return nil, err
	}
	switch words[0] {
	case "connect":
		to, err := netip.ParseAddrPort(words[2])
		if err != nil {
			return nil, err
		}
		err = unix.Connect(fd, testbed.Sockaddr(to))
		return errnoNumber(err), nil
	case "write":
		_, err := unix.Write(fd, []byte("x"))
		return errnoNumber(err), nil
	case "error": // takes the pending error, as only its owner may
		return unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	case "flags":
		return unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	case "close":
		return 0, unix.Close(fd)
	}
	return nil, errors.New("unknown command")
}

// errnoNumber is an error as a number, 0 for none.
func errnoNumber(err error) int {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return int(errno)
	}
	return 0
}

// stranger drops root and looks at descriptor args[1] of process args[0], and
// then at a socket of a process of its own.
func stranger(args []string) error {
	pid, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	fd, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(65534), syscall.Setuid(65534)); err != nil {
		return err
	}
	h, err := Open(pid)
	if err != nil {
		return err
	}
	defer h.Close()
	_, err = h.Socket(fd)
	var denied *PermissionError
	fmt.Printf("%t %t %v\n", errors.As(err, &denied), errors.Is(err, os.ErrPermission), err)

	own := testbed.Command("holder")
	in, err := own.StdinPipe()
	if err != nil {
		return err
	}
	out, err := own.StdoutPipe()
	if err != nil {
		return err
	}
	if err := own.Start(); err != nil {
		return err
	}
	defer func() { _ = in.Close(); _ = own.Wait() }()
	fmt.Fprintln(in, "socket", unix.AF_INET, unix.SOCK_STREAM, 0)
	if _, err := fmt.Fscan(out, &fd); err != nil {
		return err
	}
	mine, err := Open(own.Process.Pid)
	if err != nil {
		return err
	}
	defer mine.Close()
	s, err := mine.Socket(fd)
	fmt.Println(s.Info.State, s.UID, s.NetNS, err)
	return nil
}

// listen opens a listener that the test serves.
func listen(t *testing.T, addr string) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.(*net.TCPListener)
}
