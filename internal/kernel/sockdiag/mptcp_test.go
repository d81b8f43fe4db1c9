//go:build linux

package sockdiag

import (
	"errors"
	"testing"

	"github.com/closewait/closewait/internal/privilege"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/tcp"
)

// mptcpPair returns the ends of a connection that speaks MPTCP on the wire.
func mptcpPair(t *testing.T, v variant) (client, server int) {
	t.Helper()
	fd, err := unix.Socket(v.domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.ENOPROTOOPT) || errors.Is(err, unix.EINVAL) {
		privilege.Unsupported(t, "MPTCP rows", err)
	}
	must(t, "MPTCP socket", err)
	must(t, "close", unix.Close(fd))
	l := v.listen(t, unix.IPPROTO_MPTCP, 8)
	client = v.connect(t, unix.IPPROTO_MPTCP, l)
	return client, accept(t, l)
}

// TestMPTCPCloseWait: the connection's row shows CLOSE_WAIT, its subflow's does
// not, and both have the inode of the one descriptor.
func TestMPTCPCloseWait(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		c, s := mptcpPair(t, v)
		write(t, c, "hello")
		shutdown(t, c, unix.SHUT_WR)
		conn := dial(t)
		f := flow(t, s)
		row := eventually(t, conn, Query{Protocol: MPTCP, States: States(tcp.CloseWait), Info: true}, between(f))
		if !row.MPTCP || !row.HasInfo || row.Inode != inode(t, s) || row.Cookie != cookie(t, s) || row.Family != v.family {
			t.Errorf("row is %+v", row)
		}
		if row.Info.Token == 0 || row.Info.Fallback {
			t.Errorf("info is %+v", row.Info)
		}
		if row.Info.HasTimes && row.Info.BytesReceived < 5 {
			t.Errorf("a kernel that tells times says %d bytes came: %+v", row.Info.BytesReceived, row.Info)
		}
		sub := eventually(t, conn, Query{States: States(tcp.Established), Info: true}, between(f))
		if sub.MPTCP || sub.Inode != row.Inode {
			t.Errorf("the subflow's row is %+v, the connection's %+v", sub, row)
		}
		if unix.Geteuid() == 0 && sub.ULP != ULPMPTCP {
			t.Errorf("the subflow's ULP is %d, want %d", sub.ULP, ULPMPTCP)
		}
		readEOF(t, s)
	})
}

// TestMPTCPEnded: a connection that both ends shut down is still listed, with its
// addresses; a socket that was refused and has not noticed yet is too.
func TestMPTCPEnded(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		c, s := mptcpPair(t, v)
		must(t, "shutdown", unix.Shutdown(c, unix.SHUT_WR))
		must(t, "shutdown", unix.Shutdown(s, unix.SHUT_WR))
		conn := dial(t)
		ended := Query{Protocol: MPTCP, States: States(tcp.Closed), Info: true}
		row := eventually(t, conn, ended, func(r Row) bool { return r.Inode == inode(t, c) })
		if !row.Info.Connected || row.Remote.Port() == 0 || row.Info.Fallback {
			t.Errorf("row is %+v", row)
		}
	})
}

// TestMPTCPListener: it has a row in both dumps.
func TestMPTCPListener(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		mptcpPair(t, v)
		l := v.listen(t, unix.IPPROTO_MPTCP, 8)
		conn := dial(t)
		same := func(r Row) bool { return r.Inode == inode(t, l) }
		plain := eventually(t, conn, Query{States: States(tcp.Listen)}, same)
		multi := eventually(t, conn, Query{Protocol: MPTCP, States: States(tcp.Listen)}, same)
		if plain.Local != multi.Local || plain.MPTCP || !multi.MPTCP {
			t.Errorf("rows are %+v and %+v", plain, multi)
		}
	})
}
