package e2e

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/testbed"
)

// socket is a TCP socket of this very process, for what no kind of package
// misbehave does. It blocks, for seconds at most.
type socket struct {
	t  testing.TB
	fd int
}

// listen opens a listener at ip, on any port, which closes with the test. For an
// IPv6 address it takes IPv4 too.
func listen(t testing.TB, s *space, ip string, backlog int) *socket {
	t.Helper()
	l := open(t, s, netip.MustParseAddr(ip).Is4())
	if err := unix.Bind(l.fd, testbed.Sockaddr(netip.AddrPortFrom(netip.MustParseAddr(ip), 0))); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(l.fd, backlog); err != nil {
		t.Fatal(err)
	}
	return l
}

func open(t testing.TB, s *space, ipv4 bool) *socket {
	t.Helper()
	x, err := openAs(t, s, ipv4, unix.IPPROTO_TCP)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// openAs is open for a protocol that the kernel may not have.
func openAs(t testing.TB, s *space, ipv4 bool, protocol int) (*socket, error) {
	t.Helper()
	family := unix.AF_INET6
	if ipv4 {
		family = unix.AF_INET
	}
	x := &socket{t: t}
	err := s.do(func() (err error) {
		x.fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, protocol)
		return err
	})
	if err != nil {
		return nil, err
	}
	t.Cleanup(x.forget)
	x.patience()
	return x, nil
}

// patience bounds each later call.
func (x *socket) patience() {
	x.t.Helper()
	tv := unix.Timeval{Sec: 10}
	for _, option := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
		if err := unix.SetsockoptTimeval(x.fd, unix.SOL_SOCKET, option, &tv); err != nil {
			x.t.Fatal(err)
		}
	}
}

// forget ends the connection by a RST, so that nothing is left of it.
func (x *socket) forget() {
	if x.fd >= 0 {
		_ = unix.SetsockoptLinger(x.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		x.close()
	}
}

func (x *socket) close() {
	_ = unix.Close(x.fd)
	x.fd = -1
}

func (x *socket) local() netip.AddrPort {
	x.t.Helper()
	name, err := unix.Getsockname(x.fd)
	if err != nil {
		x.t.Fatal(err)
	}
	return testbed.AddrPort(name)
}

// dial connects from a new socket to the listener's address, or another one of
// its host.
func (x *socket) dial(s *space, to netip.AddrPort) *socket {
	x.t.Helper()
	c := open(x.t, s, to.Addr().Is4())
	x.t.Helper()
	if err := testbed.Uninterrupted(func() error { return unix.Connect(c.fd, testbed.Sockaddr(to)) }); err != nil {
		x.t.Fatal(err)
	}
	return c
}

func (x *socket) accept() *socket {
	x.t.Helper()
	fd := -1
	err := testbed.Uninterrupted(func() (err error) {
		fd, _, err = unix.Accept4(x.fd, unix.SOCK_CLOEXEC)
		return err
	})
	if err != nil {
		x.t.Fatal(err)
	}
	a := &socket{t: x.t, fd: fd}
	x.t.Cleanup(a.forget)
	a.patience()
	return a
}

func (x *socket) send(n int) {
	x.t.Helper()
	for n > 0 {
		sent, err := unix.SendmsgN(x.fd, make([]byte, n), nil, nil, unix.MSG_NOSIGNAL)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			x.t.Fatal(err)
		}
		n -= sent
	}
}

// receive reads n bytes.
func (x *socket) receive(n int) {
	x.t.Helper()
	for n > 0 {
		got, err := unix.Read(x.fd, make([]byte, n))
		if err == unix.EINTR {
			continue
		}
		if err != nil || got == 0 {
			x.t.Fatalf("%d bytes to come: %v", n, err)
		}
		n -= got
	}
}

func (x *socket) shutdown() {
	x.t.Helper()
	if err := unix.Shutdown(x.fd, unix.SHUT_WR); err != nil {
		x.t.Fatal(err)
	}
}

func (x *socket) set(level, option, value int) {
	x.t.Helper()
	if err := unix.SetsockoptInt(x.fd, level, option, value); err != nil {
		x.t.Fatal(err)
	}
}

// await waits until the kernel has the socket in a state.
func (x *socket) await(state uint8) {
	x.t.Helper()
	testbed.Await(x.t, "a socket's state", func() bool {
		info, err := unix.GetsockoptTCPInfo(x.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		return err == nil && info.State == state
	})
}
