//go:build linux

package act

import (
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/netns"
	"github.com/closewait/closewait/internal/kernel/procfs"
	"github.com/closewait/closewait/internal/kernel/sockdiag"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/testbed"
	"github.com/closewait/closewait/tcp"
)

// place is where a test's sockets live: a family, in this namespace or another.
type place struct {
	name   string
	domain int
	addr   netip.Addr
	ns     *os.File // nil for the test's own
}

// eachPlace runs a test with IPv4, IPv6 and IPv4-mapped sockets, in the own
// namespace and in a fresh one.
func eachPlace(t *testing.T, test func(t *testing.T, p place)) {
	families := []place{
		{name: "IPv4", domain: unix.AF_INET, addr: netip.MustParseAddr("127.0.0.1")},
		{name: "IPv6", domain: unix.AF_INET6, addr: netip.MustParseAddr("::1")},
		{name: "mapped", domain: unix.AF_INET6, addr: netip.MustParseAddr("::ffff:127.0.0.1")},
	}
	for _, p := range families {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			test(t, p)
		})
	}
	for _, p := range families {
		t.Run(p.name+", foreign namespace", func(t *testing.T) {
			t.Parallel()
			p.ns = testbed.Namespace(t)
			test(t, p)
		})
	}
}

func here() place {
	return place{domain: unix.AF_INET, addr: netip.MustParseAddr("127.0.0.1")}
}

func (p place) sockaddr(port uint16) unix.Sockaddr {
	if p.domain == unix.AF_INET {
		return &unix.SockaddrInet4{Addr: p.addr.As4(), Port: int(port)}
	}
	return &unix.SockaddrInet6{Addr: p.addr.As16(), Port: int(port)}
}

// socket makes a socket that blocks for ten seconds at most.
func (p place) socket(t testing.TB, protocol int) int {
	t.Helper()
	fd := -1
	must(t, "socket", netns.Do(p.ns, func() (err error) {
		fd, err = unix.Socket(p.domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, protocol)
		return err
	}))
	t.Cleanup(func() { _ = unix.Close(fd) })
	for _, o := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
		must(t, "patience", unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, o, &unix.Timeval{Sec: 10}))
	}
	return fd
}

func (p place) listen(t testing.TB) int {
	t.Helper()
	l := p.socket(t, 0)
	must(t, "bind", unix.Bind(l, p.sockaddr(0)))
	must(t, "listen", unix.Listen(l, 16))
	return l
}

// pair is a connection: ours, which a test acts on, and the peer's.
func (p place) pair(t testing.TB) (ours, peer int) {
	t.Helper()
	l := p.listen(t)
	ours = p.connect(t, l)
	return ours, accept(t, l)
}

func (p place) connect(t testing.TB, l int) int {
	t.Helper()
	c := p.socket(t, 0)
	to := p.sockaddr(name(t, l).Port())
	must(t, "connect", dial(c, to))
	return c
}

func accept(t testing.TB, l int) int {
	t.Helper()
	fd := -1
	must(t, "accept", testbed.Uninterrupted(func() (err error) {
		fd, _, err = unix.Accept4(l, unix.SOCK_CLOEXEC)
		return err
	}))
	must(t, "patience", unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}))
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// stuck is a connection whose peer has shut its side down: ours is in CLOSE_WAIT,
// the peer's in FIN_WAIT_2.
func (p place) stuck(t testing.TB) (ours, peer int) {
	t.Helper()
	ours, peer = p.pair(t)
	must(t, "shutdown", unix.Shutdown(peer, unix.SHUT_WR))
	await(t, ours, tcp.CloseWait)
	await(t, peer, tcp.FinWait2)
	return ours, peer
}

// destroyer is namespace for a test that gets as far as SOCK_DESTROY itself.
func (p place) destroyer(t testing.TB) *Namespace {
	t.Helper()
	privilege.Need(t, "SOCK_DESTROY")
	return p.namespace(t)
}

// namespace enters where the sockets are.
func (p place) namespace(t testing.TB) *Namespace {
	t.Helper()
	fd := 0
	if p.ns != nil {
		fd = int(p.ns.Fd())
	}
	n, err := Enter(fd)
	must(t, "enter", err)
	t.Cleanup(func() { _ = n.Close() })
	return n
}

// target is a socket of this process as a look would have described it.
func (p place) target(t testing.TB, fd int) Target {
	t.Helper()
	n := p.namespace(t)
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	must(t, "SO_COOKIE", err)
	row, err := n.conn.Get(t.Context(), sockdiag.ID{Local: name(t, fd), Remote: peerName(t, fd), Cookie: cookie})
	must(t, "get", err)
	return rowTarget(&row)
}

func rowTarget(r *sockdiag.Row) Target {
	return Target{
		Cookie: r.Cookie, Inode: uint64(r.Inode), Local: r.Local, Remote: r.Remote, State: r.State, RecvQ: r.RQueue, SendQ: r.WQueue,
		Moved: Moved{Sent: r.Info.BytesSent, Acked: r.Info.BytesAcked, Received: r.Info.BytesReceived},
	}
}

// self is this process, acted on by pidfd as any other.
func self(t testing.TB) *Process {
	t.Helper()
	ticks, err := procfs.FS{}.StartTicks(os.Getpid())
	must(t, "start time", err)
	p, err := Open(procfs.FS{}, os.Getpid(), ticks)
	must(t, "open", err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func name(t testing.TB, fd int) netip.AddrPort {
	t.Helper()
	sa, err := unix.Getsockname(fd)
	must(t, "getsockname", err)
	return testbed.AddrPort(sa)
}

func peerName(t testing.TB, fd int) netip.AddrPort {
	t.Helper()
	sa, err := unix.Getpeername(fd)
	must(t, "getpeername", err)
	return testbed.AddrPort(sa)
}

func state(t testing.TB, fd int) tcp.State {
	t.Helper()
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	must(t, "TCP_INFO", err)
	return tcp.State(info.State)
}

func await(t testing.TB, fd int, want tcp.State) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); state(t, fd) != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in %v, and not in %v within 30 s", state(t, fd), want)
		}
	}
}

// end closes a socket, and keeps its number from being used by another test
// until this one's cleanup closes it.
func end(t testing.TB, fd int) {
	t.Helper()
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	must(t, "open", err)
	must(t, "close", unix.Dup3(null, fd, unix.O_CLOEXEC))
	must(t, "close", unix.Close(null))
}

// read is what one read of a byte answers: a number and an error.
// dial and read may be interrupted: the sockets have timeouts.
func dial(fd int, to unix.Sockaddr) error {
	return testbed.Uninterrupted(func() error { return unix.Connect(fd, to) })
}

func read(fd int) (n int, err error) {
	err = testbed.Uninterrupted(func() (err error) {
		n, err = unix.Read(fd, make([]byte, 1))
		return err
	})
	return n, err
}

func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}
