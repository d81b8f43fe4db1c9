//go:build linux

package sockdiag

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/testbed"
	"github.com/closewait/closewait/tcp"
)

// Sockets here are made by plain system calls: package net would turn keepalive
// and MPTCP on behind the tests' back.

// variant is one way for a connection to be IPv4 or IPv6.
type variant struct {
	name   string
	domain int
	addr   netip.Addr
	family Family
}

func variants() []variant {
	return []variant{
		{"IPv4", unix.AF_INET, netip.MustParseAddr("127.0.0.1"), IPv4},
		{"IPv6", unix.AF_INET6, netip.MustParseAddr("::1"), IPv6},
		{"mapped", unix.AF_INET6, netip.MustParseAddr("::ffff:127.0.0.1"), IPv6},
	}
}

func eachVariant(t *testing.T, test func(t *testing.T, v variant)) {
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) { test(t, v) })
	}
}

func (v variant) sockaddr(port uint16) unix.Sockaddr {
	if v.domain == unix.AF_INET {
		return &unix.SockaddrInet4{Addr: v.addr.As4(), Port: int(port)}
	}
	return &unix.SockaddrInet6{Addr: v.addr.As16(), Port: int(port)}
}

func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func (v variant) socket(t testing.TB, protocol int) int {
	t.Helper()
	fd, err := unix.Socket(v.domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, protocol)
	must(t, "socket", err)
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// listen returns a listener on a port of the kernel's choice. Connections that
// it accepts have small receive buffers, so that a window closes soon.
func (v variant) listen(t testing.TB, protocol, backlog int) int {
	t.Helper()
	fd := v.socket(t, protocol)
	must(t, "SO_RCVBUF", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096))
	must(t, "bind", unix.Bind(fd, v.sockaddr(0)))
	must(t, "listen", unix.Listen(fd, backlog))
	return fd
}

func (v variant) connect(t testing.TB, protocol, listener int) int {
	t.Helper()
	fd := v.socket(t, protocol)
	must(t, "connect", unix.Connect(fd, v.sockaddr(local(t, listener).Port())))
	return fd
}

func accept(t testing.TB, listener int) int {
	t.Helper()
	fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	must(t, "accept", err)
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// pair returns the two ends of one connection.
func (v variant) pair(t testing.TB) (client, server int) {
	t.Helper()
	l := v.listen(t, 0, 8)
	client = v.connect(t, 0, l)
	return client, accept(t, l)
}

func local(t testing.TB, fd int) netip.AddrPort {
	t.Helper()
	sa, err := unix.Getsockname(fd)
	must(t, "getsockname", err)
	return testbed.AddrPort(sa)
}

func remote(t testing.TB, fd int) netip.AddrPort {
	t.Helper()
	sa, err := unix.Getpeername(fd)
	must(t, "getpeername", err)
	return testbed.AddrPort(sa)
}

func flow(t testing.TB, fd int) tcp.Flow {
	t.Helper()
	return tcp.Flow{Local: local(t, fd), Remote: remote(t, fd)}
}

func cookie(t testing.TB, fd int) uint64 {
	t.Helper()
	c, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	must(t, "SO_COOKIE", err)
	return c
}

func inode(t testing.TB, fd int) uint32 {
	t.Helper()
	var st unix.Stat_t
	must(t, "fstat", unix.Fstat(fd, &st))
	return uint32(st.Ino)
}

func write(t testing.TB, fd int, text string) {
	t.Helper()
	n, err := unix.Write(fd, []byte(text))
	must(t, "write", err)
	if n != len(text) {
		t.Fatalf("wrote %d bytes of %d", n, len(text))
	}
}

// fill writes until the peer's window and the own buffer are full.
func fill(t testing.TB, fd int) {
	t.Helper()
	must(t, "SO_SNDBUF", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 4096))
	must(t, "nonblock", unix.SetNonblock(fd, true))
	block := make([]byte, 4096)
	for range 10_000 {
		if _, err := unix.Write(fd, block); err == unix.EAGAIN {
			return
		} else if err != nil {
			t.Fatalf("write: %v", err)
		}
	}
	t.Fatal("a connection without a reader swallowed 40 MB")
}

func shutdown(t testing.TB, fd, how int) {
	t.Helper()
	must(t, "shutdown", unix.Shutdown(fd, how))
}

func closeFD(t testing.TB, fd int) {
	t.Helper()
	// The number is kept busy, so that the cleanup closes nobody else's file.
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	must(t, "open /dev/null", err)
	must(t, "dup3", unix.Dup3(null, fd, unix.O_CLOEXEC))
	must(t, "close", unix.Close(null))
}

// readEOF reads until a read returns zero (C2).
func readEOF(t testing.TB, fd int) {
	t.Helper()
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(fd, buf)
		must(t, "read", err)
		if n == 0 {
			return
		}
	}
}

func dial(t testing.TB) *Conn {
	t.Helper()
	c, err := Dial(0)
	must(t, "dial", err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func dump(t testing.TB, c *Conn, q Query) []Row {
	t.Helper()
	var rows []Row
	stats, err := c.Dump(t.Context(), q, func(r *Row) error {
		rows = append(rows, *r)
		return nil
	}, func() { rows = rows[:0] })
	must(t, "dump", err)
	if stats.Rows != len(rows) || stats.Torn {
		t.Fatalf("stats are %+v for %d rows", stats, len(rows))
	}
	return rows
}

// eventually waits until a row of q satisfies good, and returns it.
func eventually(t testing.TB, c *Conn, q Query, good func(Row) bool) Row {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		rows := dump(t, c, q)
		for _, r := range rows {
			if good(r) {
				return r
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("no such row came about; there are %+v", rows)
		}
		time.Sleep(time.Millisecond)
	}
}

// between makes a test for the rows of one flow.
func between(f tcp.Flow) func(Row) bool {
	return func(r Row) bool { return r.Local == f.Local && r.Remote == f.Remote }
}

// tcpRow makes the payload of a row message by hand.
type tcpRow struct {
	family Family
	state  tcp.State
	cookie uint64
	attrs  []byte
}

func (r tcpRow) payload() []byte {
	b := []byte{byte(r.family), byte(r.state), 4, 3}
	id := ID{Local: netip.MustParseAddrPort("192.0.2.1:80"), Remote: netip.MustParseAddrPort("192.0.2.2:5000"), Interface: 7, Cookie: r.cookie}
	if r.family == IPv6 {
		id.Local, id.Remote = netip.MustParseAddrPort("[2001:db8::1]:80"), netip.MustParseAddrPort("[2001:db8::2]:5000")
	}
	b = appendSockID(b, id)
	for _, v := range []uint32{1500, 11, 22, 1000, 4711} {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return append(b, r.attrs...)
}
