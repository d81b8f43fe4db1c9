//go:build linux

package pidfd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const roleVar = "CLOSEWAIT_PIDFD_ROLE"

// TestMain lets the test binary be the processes that the tests look into.
func TestMain(m *testing.M) {
	var err error
	switch role := os.Getenv(roleVar); role {
	case "":
		os.Exit(m.Run())
	case "holder":
		err = holder()
	case "stranger":
		err = stranger(os.Args[1:])
	default:
		err = fmt.Errorf("no role %q", role)
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// child is a process of the test's.
type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Reader
}

func spawn(t *testing.T, attr *syscall.SysProcAttr, role string, args ...string) *child {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), roleVar+"="+role)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = attr
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
	c := &child{t: t, cmd: cmd, stdin: stdin, lines: bufio.NewReader(stdout)}
	t.Cleanup(c.end)
	return c
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) end() {
	if c.cmd.ProcessState != nil {
		return
	}
	_ = c.stdin.Close()
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// line waits for the child's next line of output.
func (c *child) line() string {
	c.t.Helper()
	late := time.AfterFunc(20*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer late.Stop()
	line, err := c.lines.ReadString('\n')
	if err != nil || strings.HasPrefix(line, "error:") {
		c.t.Fatalf("child %d: %q, %v", c.pid(), line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

// do has a holder carry out one command and returns its answer.
func (c *child) do(words ...any) string {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.stdin, words...); err != nil {
		c.t.Fatal(err)
	}
	return c.line()
}

// number is do for an answer that is a number, such as a descriptor.
func (c *child) number(words ...any) int {
	c.t.Helper()
	n, err := strconv.Atoi(c.do(words...))
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
		err = unix.Connect(fd, sockaddr(to))
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

func sockaddr(ap netip.AddrPort) unix.Sockaddr {
	if ap.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(ap.Port()), Addr: ap.Addr().As16()}
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

	own := exec.Command("/proc/self/exe")
	own.Env = append(os.Environ(), roleVar+"=holder")
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

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
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
