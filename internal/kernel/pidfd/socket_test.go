//go:build linux

package pidfd

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/testbed"
	"github.com/closewait/closewait/tcp"
)

func open(t *testing.T, pid int) *Handle {
	t.Helper()
	h, err := Open(pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func look(t *testing.T, h *Handle, fd int) Socket {
	t.Helper()
	s, err := h.Socket(fd)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// families are the ways to reach one's own host.
var families = []struct {
	name   string
	family int
	listen string
	// via is what the child connects to; empty for the listener's address.
	mapped bool
}{
	{"IPv4", unix.AF_INET, "127.0.0.1:0", false},
	{"IPv6", unix.AF_INET6, "[::1]:0", false},
	{"IPv4-mapped", unix.AF_INET6, "127.0.0.1:0", true},
}

// pair connects a child to the test; remote is the test's end.
func pair(t *testing.T, c *child, family int, addr string, mapped bool) (fd int, remote *net.TCPConn) {
	t.Helper()
	l := listen(t, addr)
	to := l.Addr().(*net.TCPAddr).AddrPort()
	if mapped {
		to = netip.AddrPortFrom(netip.AddrFrom16(to.Addr().As16()), to.Port())
	}
	fd = c.number("socket", family, unix.SOCK_STREAM, 0)
	if errno := c.number("connect", fd, to); errno != 0 {
		t.Fatal(unix.Errno(errno))
	}
	remote, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = remote.Close() })
	return fd, remote
}

func TestSocketInCloseWait(t *testing.T) {
	var netns unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &netns); err != nil {
		t.Fatal(err)
	}
	for _, row := range families {
		t.Run(row.name, func(t *testing.T) {
			c := spawn(t)
			fd, remote := pair(t, c, row.family, row.listen, row.mapped)
			h := open(t, c.PID())
			if s := look(t, h, fd); s.Info.State != tcp.Established || s.Unread != 0 {
				t.Errorf("before: %+v", s)
			}
			if _, err := remote.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			if err := remote.Close(); err != nil {
				t.Fatal(err)
			}
			var s Socket
			testbed.Await(t, "CLOSE_WAIT", func() bool {
				s = look(t, h, fd)
				return s.Info.State == tcp.CloseWait
			})
			link, err := os.Readlink("/proc/" + strconv.Itoa(c.PID()) + "/fd/" + strconv.Itoa(fd))
			if err != nil || link != "socket:["+strconv.FormatUint(s.Inode, 10)+"]" {
				t.Errorf("inode %d of %s, %v", s.Inode, link, err)
			}
			if s.Protocol != unix.IPPROTO_TCP || s.UID != uint32(os.Geteuid()) || s.Cookie == 0 {
				t.Errorf("got %+v", s)
			}
			if s.NetNS != netns.Ino && s.NetNS != 0 {
				t.Errorf("namespace %d, want %d", s.NetNS, netns.Ino)
			}
			flow := tcp.Flow{Local: s.Local, Remote: s.Remote}.Unmapped()
			if flow.Local.String() != remote.RemoteAddr().String() || flow.Remote.String() != remote.LocalAddr().String() {
				t.Errorf("flow %v, the peer says %v and %v", flow, remote.RemoteAddr(), remote.LocalAddr())
			}
			if s.Local.Addr().Is4In6() != row.mapped || s.Remote.Addr().Is4In6() != row.mapped {
				t.Errorf("addresses %v and %v", s.Local, s.Remote)
			}
			// 5 bytes and the FIN.
			if i := s.Info; s.Unread != 5 || i.BytesReceived != 6 || i.SegsIn == 0 || i.DataSegsIn == 0 || i.RTO < 200_000 {
				t.Errorf("unread %d, %+v", s.Unread, i)
			}
			if again := look(t, h, fd); again.Cookie != s.Cookie || again.Inode != s.Inode {
				t.Errorf("another socket: %+v, %+v", s, again)
			}
		})
	}
}

// kernel-facts: after the RST the descriptor still tells that it was connected
// once, and the look leaves the pending error to the application.
func TestSocketAfterTheReset(t *testing.T) {
	for _, row := range families {
		t.Run(row.name, func(t *testing.T) {
			c := spawn(t)
			fd, remote := pair(t, c, row.family, row.listen, row.mapped)
			h := open(t, c.PID())
			if err := remote.Close(); err != nil {
				t.Fatal(err)
			}
			testbed.Await(t, "CLOSE_WAIT", func() bool { return look(t, h, fd).Info.State == tcp.CloseWait })
			cookie := look(t, h, fd).Cookie
			if errno := c.number("write", fd); errno != 0 { // C8: draws the RST
				t.Fatal(unix.Errno(errno))
			}
			testbed.Await(t, "the RST", func() bool { return look(t, h, fd).Info.State == tcp.Closed })
			s := look(t, h, fd)
			if s.Info.SegsIn == 0 || s.Info.BytesReceived != 1 || s.Info.DataSegsOut == 0 || // more, if the RST took its time
				s.Cookie != cookie || s.Inode == 0 {
				t.Errorf("got %+v", s)
			}
			if !s.Local.IsValid() || s.Local.Port() == 0 || s.Remote.IsValid() {
				t.Errorf("addresses %v and %v", s.Local, s.Remote)
			}
			for range 100 {
				look(t, h, fd)
			}
			if errno := unix.Errno(c.number("error", fd)); errno != unix.EPIPE {
				t.Errorf("the application finds %v instead of its EPIPE", errno)
			}
			if errno := c.number("error", fd); errno != 0 {
				t.Errorf("SO_ERROR does not clear itself: the test proves nothing (%v)", unix.Errno(errno))
			}
		})
	}
}

func TestSocketResetWithoutFIN(t *testing.T) {
	c := spawn(t)
	fd, remote := pair(t, c, unix.AF_INET, "127.0.0.1:0", false)
	h := open(t, c.PID())
	if err := errors.Join(remote.SetLinger(0), remote.Close()); err != nil {
		t.Fatal(err)
	}
	testbed.Await(t, "the RST", func() bool { return look(t, h, fd).Info.State == tcp.Closed })
	if s := look(t, h, fd); s.Info.SegsIn == 0 || s.Info.BytesReceived != 0 {
		t.Errorf("got %+v", s)
	}
	if errno := unix.Errno(c.number("error", fd)); errno != unix.ECONNRESET {
		t.Errorf("the application finds %v instead of its ECONNRESET", errno)
	}
}

// Data that was not read outlives the connection.
func TestSocketKeepsUnreadDataAfterTheReset(t *testing.T) {
	c := spawn(t)
	fd, remote := pair(t, c, unix.AF_INET, "127.0.0.1:0", false)
	h := open(t, c.PID())
	if _, err := remote.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if err := remote.Close(); err != nil {
		t.Fatal(err)
	}
	testbed.Await(t, "CLOSE_WAIT", func() bool { return look(t, h, fd).Info.State == tcp.CloseWait })
	c.Ask("write", fd)
	testbed.Await(t, "the RST", func() bool { return look(t, h, fd).Info.State == tcp.Closed })
	if s := look(t, h, fd); s.Unread != 1000 || s.Info.BytesReceived != 1001 {
		t.Errorf("got %+v", s)
	}
}

func TestSocketThatWasNeverConnected(t *testing.T) {
	c := spawn(t)
	h := open(t, c.PID())
	for _, row := range families {
		fresh := c.number("socket", row.family, unix.SOCK_STREAM, 0)
		if s := look(t, h, fresh); s.Info.State != tcp.Closed || s.Info.SegsIn != 0 || s.Info.BytesReceived != 0 {
			t.Errorf("%s, fresh: %+v", row.name, s)
		}
		l := listen(t, row.listen)
		to := l.Addr().(*net.TCPAddr).AddrPort()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if row.mapped {
			to = netip.AddrPortFrom(netip.AddrFrom16(to.Addr().As16()), to.Port())
		}
		if errno := unix.Errno(c.number("connect", fresh, to)); errno != unix.ECONNREFUSED {
			t.Fatalf("%s: connect: %v", row.name, errno)
		}
		if s := look(t, h, fresh); s.Info.State != tcp.Closed || s.Info.SegsIn != 0 || s.Info.BytesReceived != 0 {
			t.Errorf("%s, refused: %+v", row.name, s)
		}
	}
}

func TestSocketRefusesOtherDescriptors(t *testing.T) {
	c := spawn(t)
	h := open(t, c.PID())
	closed := c.number("socket", unix.AF_INET, unix.SOCK_STREAM, 0)
	c.Ask("close", closed)
	for _, row := range []struct {
		name string
		fd   int
		want error
	}{
		{"UDP", c.number("socket", unix.AF_INET, unix.SOCK_DGRAM, 0), ErrNotTCP},
		{"UDP over IPv6", c.number("socket", unix.AF_INET6, unix.SOCK_DGRAM, 0), ErrNotTCP},
		{"unix stream", c.number("socket", unix.AF_UNIX, unix.SOCK_STREAM, 0), ErrNotTCP},
		{"netlink", c.number("socket", unix.AF_NETLINK, unix.SOCK_RAW, 0), ErrNotTCP},
		{"a pipe", 0, ErrNotSocket},
		{"a file", c.number("open", "/proc/self/stat"), ErrNotSocket},
		{"a namespace", c.number("open", "/proc/self/ns/net"), ErrNotSocket},
		{"closed meanwhile", 900, ErrClosed},
		{"never open", 1 << 30, ErrClosed},
		{"negative", -1, ErrClosed},
	} {
		_, err := h.Socket(row.fd)
		if !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
		if !strings.Contains(err.Error(), "of process "+strconv.Itoa(c.PID())) && row.fd >= 0 {
			t.Errorf("%s: %v does not name the process", row.name, err)
		}
	}
}

func TestSocketClosedInBetween(t *testing.T) {
	c := spawn(t)
	fd, remote := pair(t, c, unix.AF_INET, "127.0.0.1:0", false)
	h := open(t, c.PID())
	look(t, h, fd)
	c.Ask("close", fd)
	if _, err := h.Socket(fd); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	// No copy is left: the close took effect.
	if err := remote.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := remote.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the peer reads %d, %v; want the end", n, err)
	}
}

func TestProcessGone(t *testing.T) {
	c := spawn(t)
	fd := c.number("socket", unix.AF_INET, unix.SOCK_STREAM, 0)
	h := open(t, c.PID())
	c.Kill()
	if _, err := h.Socket(fd); !errors.Is(err, ErrGone) {
		t.Errorf("by the handle: %v", err)
	}
	for _, pid := range []int{c.PID(), 0, -1, 1 << 30} {
		if _, err := Open(pid); !errors.Is(err, ErrGone) {
			t.Errorf("Open(%d): %v", pid, err)
		}
	}
}

func TestStrangerIsToldWhatIsMissing(t *testing.T) {
	privilege.Need(t, "an unprivileged look at root's process")
	c := spawn(t)
	fd := c.number("socket", unix.AF_INET, unix.SOCK_STREAM, 0)
	s := testbed.Start(t, "stranger", strconv.Itoa(c.PID()), strconv.Itoa(fd))
	if line := s.Line(); !strings.HasPrefix(line, "true true ") || !strings.Contains(line, "CAP_SYS_PTRACE") {
		t.Errorf("root's process: %s", line)
	}
	// Its own child's socket, without CAP_NET_ADMIN to name the namespace.
	if line := s.Line(); line != "CLOSED 65534 0 <nil>" {
		t.Errorf("its own: %s", line)
	}
}

func TestSocketOfAnotherNamespace(t *testing.T) {
	privilege.Need(t, "a socket of another network namespace")
	c := spawn(t)
	h := open(t, c.PID())
	var own unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &own); err != nil {
		t.Fatal(err)
	}
	first := c.number("socket", unix.AF_INET, unix.SOCK_STREAM, 0)
	other := uint64(c.number("unshare"))
	second := c.number("socket", unix.AF_INET, unix.SOCK_STREAM, 0)
	for range 2 { // one process holds both; each is seen again after the other
		if s := look(t, h, first); s.NetNS != own.Ino {
			t.Errorf("namespace %d, want %d", s.NetNS, own.Ino)
		}
		for range 2 { // the second time by its cookie
			if s := look(t, h, second); s.NetNS != other || other == own.Ino {
				t.Errorf("namespace %d, want %d", s.NetNS, other)
			}
		}
	}
}

func TestSocketOfMPTCP(t *testing.T) {
	probe, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if err != nil {
		privilege.Unsupported(t, "MPTCP sockets", err)
	}
	_ = unix.Close(probe)
	for _, row := range families {
		t.Run(row.name, func(t *testing.T) {
			c := spawn(t)
			h := open(t, c.PID())
			fd := c.number("socket", row.family, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)
			if s := look(t, h, fd); s.Protocol != unix.IPPROTO_MPTCP || s.Ended || s.Info != (Info{}) {
				t.Errorf("fresh: %+v", s)
			}
			l := listen(t, row.listen) // Go's listeners speak MPTCP
			to := l.Addr().(*net.TCPAddr).AddrPort()
			if row.mapped {
				to = netip.AddrPortFrom(netip.AddrFrom16(to.Addr().As16()), to.Port())
			}
			if errno := c.number("connect", fd, to); errno != 0 {
				t.Fatal(unix.Errno(errno))
			}
			if s := look(t, h, fd); s.Protocol != unix.IPPROTO_MPTCP || s.Ended || s.Info.State != tcp.Established || s.Remote != to {
				t.Errorf("connected: %+v", s)
			}
			remote, err := l.AcceptTCP()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = remote.Close() }()
			if errno := c.number("write", fd); errno != 0 {
				t.Fatal(unix.Errno(errno))
			}
			leaveUnread(t, remote)
			checkEndedMultipath(t, c, h, fd)
		})
	}
}

// leaveUnread closes a connection that has something to read, which resets it.
func leaveUnread(t *testing.T, c *net.TCPConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Read(func(fd uintptr) bool {
		_, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK)
		return !errors.Is(err, unix.EAGAIN)
	})
	if err := errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
}

func checkEndedMultipath(t *testing.T, c *child, h *Handle, fd int) {
	t.Helper()
	s := look(t, h, fd)
	for end := time.Now().Add(30 * time.Second); !s.Ended && time.Now().Before(end); time.Sleep(time.Millisecond) {
		s = look(t, h, fd)
	}
	if !s.Ended || s.Info.State != tcp.Closed || s.Info.BytesSent == 0 || s.Info.BytesAcked == 0 || !s.Info.HasTimes || s.Remote.IsValid() {
		t.Errorf("reset: %+v", s)
	}
	if errno := c.number("error", fd); errno == 0 {
		t.Error("the pending error is gone")
	}
}

func TestFileIsTheSameFile(t *testing.T) {
	c := spawn(t)
	h := open(t, c.PID())
	ns := c.number("open", "/proc/self/ns/net")
	f, err := h.File(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var got, want unix.Stat_t
	if err := errors.Join(unix.Fstat(int(f.Fd()), &got), unix.Stat("/proc/self/ns/net", &want)); err != nil {
		t.Fatal(err)
	}
	if got.Ino != want.Ino || got.Dev != want.Dev {
		t.Errorf("namespace %d, want %d", got.Ino, want.Ino)
	}
	if _, err := h.File(900); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed one: %v", err)
	}
}

// O_NONBLOCK belongs to the file, not the descriptor: a copy that changed it
// would change how the application's reads behave.
func TestFileLeavesTheFlagsAlone(t *testing.T) {
	c := spawn(t)
	h := open(t, c.PID())
	for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_STREAM | unix.SOCK_NONBLOCK} {
		fd := c.number("socket", unix.AF_INET, kind, 0)
		before := c.number("flags", fd)
		f, err := h.File(fd)
		if err != nil {
			t.Fatal(err)
		}
		f.Fd()
		if during := c.number("flags", fd); during != before {
			t.Errorf("flags %#x became %#x", before, during)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if after := c.number("flags", fd); after != before {
			t.Errorf("flags %#x were left %#x", before, after)
		}
	}
}

func TestNothingIsLeftOpen(t *testing.T) {
	count := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	c := spawn(t)
	fds := []int{
		c.number("socket", unix.AF_INET, unix.SOCK_STREAM, 0),
		c.number("socket", unix.AF_INET, unix.SOCK_DGRAM, 0),
		c.number("open", "/proc/self/stat"), 900,
	}
	before := count()
	h, err := Open(c.PID())
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		for _, fd := range fds {
			_, _ = h.Socket(fd)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func TestAskAllocatesNothing(t *testing.T) {
	c := spawn(t)
	fd := c.number("socket", unix.AF_INET, unix.SOCK_STREAM, 0)
	h := open(t, c.PID())
	if n := testing.AllocsPerRun(100, func() {
		var a answers
		if err := h.ask(fd, &a); err != nil {
			t.Fatal(err)
		}
		h.netns(&a)
	}); n != 0 {
		t.Errorf("%v allocations while the copy is open", n)
	}
}

func TestObstacle(t *testing.T) {
	for _, row := range []struct {
		yama         int
		capable, own bool
		want         Obstacle
	}{
		{0, false, false, NoCapability},
		{1, false, false, NoCapability},
		{1, false, true, YamaRestricted},
		{2, false, true, YamaRestricted},
		{3, false, true, YamaLocked},
		{3, true, true, YamaLocked},
		{2, true, false, Policy},
		{0, true, true, Policy},
		{0, false, true, Policy},
	} {
		if got := obstacle(row.yama, row.capable, row.own); got != row.want {
			t.Errorf("obstacle(%d, %t, %t) = %v, want %v", row.yama, row.capable, row.own, got, row.want)
		}
	}
	for errno, want := range map[unix.Errno]error{
		unix.ESRCH: ErrGone, unix.ENOSYS: ErrUnsupported, unix.EBADF: ErrClosed, unix.EPERM: fs.ErrPermission, unix.EMFILE: unix.EMFILE,
	} {
		h := &Handle{pid: os.Getpid()}
		if err := h.fail(3, errno); !errors.Is(err, want) {
			t.Errorf("%v became %v, want %v", errno, err, want)
		}
	}
}

func FuzzInfo(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{8, 0, 0, 0, 3})
	f.Add(make([]byte, infoSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		whole := parseInfo(b)
		// A kernel with more fields changes nothing, one with fewer only leaves some out.
		if longer := parseInfo(append(b[:len(b):len(b)], make([]byte, infoSize)...)); len(b) >= 208 && longer != whole {
			t.Errorf("%+v, longer %+v", whole, longer)
		}
		if len(b) > 0 && uint8(whole.State) != b[0] {
			t.Errorf("state %v of %d", whole.State, b[0])
		}
	})
}

func FuzzScope(f *testing.F) {
	f.Add([]byte("1\n"))
	f.Add([]byte("-1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if s := parseScope(text); s < 0 || s > 255 {
			t.Errorf("%q is %d", text, s)
		}
	})
}

func BenchmarkSocket(b *testing.B) {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = unix.Close(s) }()
	h, err := Open(os.Getpid())
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Socket(s); err != nil {
			b.Fatal(err)
		}
	}
}
