//go:build linux

package sockdiag

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/tcp"
)

// want is what one row must show. Inode 0 means without a file.
type want struct {
	state    tcp.State
	fd       int // the socket's descriptor, -1 if it has none
	rq       uint32
	wq       bool // something is queued to send
	timer    uint8
	shutdown uint8
	mini     bool // a timewait or request mini-socket
}

// TestEveryState makes a real socket for each state and reads its row.
func TestEveryState(t *testing.T) {
	for _, test := range []struct {
		name string
		make func(t *testing.T, v variant) (tcp.Flow, want)
	}{
		{"ESTABLISHED with data unread", func(t *testing.T, v variant) (tcp.Flow, want) {
			c, s := v.pair(t)
			write(t, c, "hello")
			return flow(t, s), want{state: tcp.Established, fd: s, rq: 5}
		}},
		// C1, C4: the FIN alone moves the socket and is ACKed.
		{"CLOSE_WAIT, FIN unread", func(t *testing.T, v variant) (tcp.Flow, want) {
			c, s := v.pair(t)
			shutdown(t, c, unix.SHUT_WR)
			return flow(t, s), want{state: tcp.CloseWait, fd: s, rq: 1, shutdown: 1}
		}},
		{"CLOSE_WAIT, zero read", func(t *testing.T, v variant) (tcp.Flow, want) {
			c, s := v.pair(t)
			write(t, c, "hello")
			shutdown(t, c, unix.SHUT_WR)
			readEOF(t, s)
			return flow(t, s), want{state: tcp.CloseWait, fd: s, rq: 0, shutdown: 1}
		}},
		{"CLOSE_WAIT, data and FIN unread", func(t *testing.T, v variant) (tcp.Flow, want) {
			c, s := v.pair(t)
			write(t, c, "hello")
			shutdown(t, c, unix.SHUT_WR)
			return flow(t, s), want{state: tcp.CloseWait, fd: s, rq: 6, shutdown: 1}
		}},
		{"CLOSE_WAIT, never accepted", func(t *testing.T, v variant) (tcp.Flow, want) {
			l := v.listen(t, 0, 8)
			c := v.connect(t, 0, l)
			shutdown(t, c, unix.SHUT_WR)
			return flow(t, c).Reverse(), want{state: tcp.CloseWait, fd: -1, rq: 1, shutdown: 1}
		}},
		{"CLOSE_WAIT with keepalive", func(t *testing.T, v variant) (tcp.Flow, want) {
			c, s := v.pair(t)
			must(t, "SO_KEEPALIVE", unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1))
			shutdown(t, c, unix.SHUT_WR)
			return flow(t, s), want{state: tcp.CloseWait, fd: s, rq: 1, shutdown: 1, timer: 2}
		}},
		{"CLOSE_WAIT, send blocked", func(t *testing.T, v variant) (tcp.Flow, want) {
			s, c := v.pair(t) // the accepted end has the small buffer
			shutdown(t, c, unix.SHUT_WR)
			fill(t, s)
			return flow(t, s), want{state: tcp.CloseWait, fd: s, rq: 1, shutdown: 1, timer: 4, wq: true}
		}},
		{"FIN_WAIT_2, owned", func(t *testing.T, v variant) (tcp.Flow, want) {
			c, _ := v.pair(t)
			shutdown(t, c, unix.SHUT_WR)
			return flow(t, c), want{state: tcp.FinWait2, fd: c, shutdown: 2}
		}},
		{"FIN_WAIT_2, orphan", func(t *testing.T, v variant) (tcp.Flow, want) {
			c, _ := v.pair(t)
			f := flow(t, c)
			closeFD(t, c)
			return f, want{state: tcp.FinWait2, fd: -1, timer: 3, mini: true}
		}},
		{"FIN_WAIT_1, owned", func(t *testing.T, v variant) (tcp.Flow, want) {
			c, _ := v.pair(t)
			fill(t, c)
			shutdown(t, c, unix.SHUT_WR)
			return flow(t, c), want{state: tcp.FinWait1, fd: c, shutdown: 2, timer: 4, wq: true}
		}},
		{"FIN_WAIT_1, orphan", func(t *testing.T, v variant) (tcp.Flow, want) {
			c, _ := v.pair(t)
			f := flow(t, c)
			fill(t, c)
			closeFD(t, c)
			return f, want{state: tcp.FinWait1, fd: -1, shutdown: 3, timer: 4, wq: true}
		}},
		{"CLOSING", func(t *testing.T, v variant) (tcp.Flow, want) {
			c, s := v.pair(t)
			fill(t, c)
			shutdown(t, c, unix.SHUT_WR)
			shutdown(t, s, unix.SHUT_WR)
			return flow(t, c), want{state: tcp.Closing, fd: c, rq: 1, shutdown: 3, timer: 4, wq: true}
		}},
		{"LAST_ACK, owned", func(t *testing.T, v variant) (tcp.Flow, want) {
			s, c := v.pair(t)
			shutdown(t, c, unix.SHUT_WR)
			readEOF(t, s)
			fill(t, s)
			shutdown(t, s, unix.SHUT_WR)
			return flow(t, s), want{state: tcp.LastAck, fd: s, shutdown: 3, timer: 4, wq: true}
		}},
		{"LAST_ACK, orphan", func(t *testing.T, v variant) (tcp.Flow, want) {
			s, c := v.pair(t)
			f := flow(t, s)
			shutdown(t, c, unix.SHUT_WR)
			readEOF(t, s)
			fill(t, s)
			closeFD(t, s)
			return f, want{state: tcp.LastAck, fd: -1, shutdown: 3, timer: 4, wq: true}
		}},
		// C6: after both have closed, the first to do so is in TIME_WAIT.
		{"TIME_WAIT", func(t *testing.T, v variant) (tcp.Flow, want) {
			c, s := v.pair(t)
			f := flow(t, c)
			shutdown(t, c, unix.SHUT_WR)
			readEOF(t, s)
			closeFD(t, s)
			readEOF(t, c)
			closeFD(t, c)
			return f, want{state: tcp.TimeWait, fd: -1, timer: 3, mini: true}
		}},
		{"SYN_RECEIVED", func(t *testing.T, v variant) (tcp.Flow, want) {
			l := v.listen(t, 0, 8)
			must(t, "TCP_DEFER_ACCEPT", unix.SetsockoptInt(l, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 30))
			return flow(t, v.connect(t, 0, l)).Reverse(), want{state: tcp.SynReceived, fd: -1, timer: 1, mini: true}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachVariant(t, func(t *testing.T, v variant) {
				f, want := test.make(t, v)
				want.check(t, v, f)
			})
		})
	}
}

func (w want) check(t *testing.T, v variant, f tcp.Flow) {
	t.Helper()
	match := between(f)
	q := Query{States: States(w.state), Info: true}
	row := eventually(t, dial(t), q, func(r Row) bool {
		return match(r) && r.RQueue == w.rq && r.Timer == w.timer && (r.WQueue > 0) == w.wq
	})
	if row.State != w.state || row.Family != v.family || row.MPTCP {
		t.Errorf("state %v, family %d, MPTCP %v; want %v, %d, false", row.State, row.Family, row.MPTCP, w.state, v.family)
	}
	if row.HasInfo == w.mini || row.HasShutdown == w.mini {
		t.Errorf("info %v and shutdown %v told; want %v", row.HasInfo, row.HasShutdown, !w.mini)
	}
	if row.Shutdown != w.shutdown {
		t.Errorf("shutdown is %d, want %d", row.Shutdown, w.shutdown)
	}
	if (w.timer == 0) != (row.Expires == 0) {
		t.Errorf("timer %d expires in %d ms", row.Timer, row.Expires)
	}
	if row.Cookie == 0 {
		t.Error("no cookie")
	}
	if w.fd < 0 {
		if row.Inode != 0 {
			t.Errorf("inode is %d, want none", row.Inode)
		}
		return
	}
	if got := inode(t, w.fd); row.Inode != got {
		t.Errorf("inode is %d, fstat says %d", row.Inode, got)
	}
	if got := cookie(t, w.fd); row.Cookie != got {
		t.Errorf("cookie is %d, SO_COOKIE says %d", row.Cookie, got)
	}
	if int(row.UID) != os.Getuid() {
		t.Errorf("uid is %d, want %d", row.UID, os.Getuid())
	}
}

// TestSynSent needs a listener that takes no more: its queue is full.
func TestSynSent(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		l := v.listen(t, 0, 0)
		v.connect(t, 0, l)
		c := v.socket(t, 0)
		must(t, "nonblock", unix.SetNonblock(c, true))
		if err := unix.Connect(c, v.sockaddr(local(t, l).Port())); err != unix.EINPROGRESS {
			t.Fatalf("connect: %v", err)
		}
		row := eventually(t, dial(t), Query{States: States(tcp.SynSent)}, func(r Row) bool { return r.Cookie == cookie(t, c) })
		if row.State != tcp.SynSent || row.Timer != 1 || row.Inode != inode(t, c) {
			t.Errorf("row is %+v", row)
		}
	})
}

// TestListenRow: Recv-Q of a LISTEN row is the accept queue's length, Send-Q the
// backlog.
func TestListenRow(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		l := v.listen(t, 0, 17)
		for range 3 {
			v.connect(t, 0, l)
		}
		row := eventually(t, dial(t), Query{States: States(tcp.Listen), Info: true}, func(r Row) bool {
			return r.Cookie == cookie(t, l) && r.RQueue == 3
		})
		if row.WQueue != 17 || row.State != tcp.Listen || row.Local != local(t, l) || row.Inode != inode(t, l) {
			t.Errorf("row is %+v", row)
		}
		if row.Remote.Port() != 0 || !row.Remote.Addr().IsUnspecified() {
			t.Errorf("remote is %v", row.Remote)
		}
	})
}

func TestListenRowTellsV6Only(t *testing.T) {
	v := variants()[1]
	for only := range 2 {
		l := v.socket(t, 0)
		must(t, "IPV6_V6ONLY", unix.SetsockoptInt(l, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only))
		must(t, "bind", unix.Bind(l, &unix.SockaddrInet6{}))
		must(t, "listen", unix.Listen(l, 1))
		row := eventually(t, dial(t), Query{States: States(tcp.Listen)}, func(r Row) bool { return r.Cookie == cookie(t, l) })
		if row.V6Only != (only == 1) {
			t.Errorf("IPV6_V6ONLY is %d, the row says %v", only, row.V6Only)
		}
	}
}

// TestStateFilterIsTheKernels: no other state comes.
func TestStateFilterIsTheKernels(t *testing.T) {
	v := variants()[0]
	c, s := v.pair(t)
	shutdown(t, c, unix.SHUT_WR)
	conn := dial(t)
	eventually(t, conn, Query{States: States(tcp.CloseWait)}, between(flow(t, s)))
	for state := tcp.Established; state <= tcp.Closing; state++ {
		if state == tcp.Closed {
			continue // no dump lists them
		}
		for _, r := range dump(t, conn, Query{States: States(state)}) {
			if r.State != state {
				t.Errorf("asked for %v, got %+v", state, r)
			}
		}
	}
	for _, r := range dump(t, conn, Query{States: States(tcp.CloseWait, tcp.FinWait2)}) {
		if r.State != tcp.CloseWait && r.State != tcp.FinWait2 {
			t.Errorf("asked for two states, got %v", r.State)
		}
	}
}

// TestInfo compares a row's TCPInfo with getsockopt(TCP_INFO) on the socket.
func TestInfo(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		c, s := v.pair(t)
		write(t, c, "hello")
		write(t, s, "good evening")
		shutdown(t, c, unix.SHUT_WR)
		row, want := stillInfo(t, s)
		i := row.Info
		if !row.HasInfo || !i.HasTimes {
			t.Fatalf("no info: %+v", row)
		}
		// The FIN counts as one byte received.
		if i.BytesReceived != 6 || i.BytesReceived != want.Bytes_received {
			t.Errorf("bytes received %d, TCP_INFO says %d, want 6", i.BytesReceived, want.Bytes_received)
		}
		if i.BytesSent != 12 || i.BytesAcked != want.Bytes_acked || i.BytesRetrans != want.Bytes_retrans {
			t.Errorf("sent %d acked %d retrans %d; TCP_INFO says %+v", i.BytesSent, i.BytesAcked, i.BytesRetrans, want)
		}
		if i.SegsIn != want.Segs_in || i.SegsOut != want.Segs_out || i.DataSegsIn != 1 || i.DataSegsOut != 1 {
			t.Errorf("segments %+v; TCP_INFO says %+v", i, want)
		}
		if i.RTO != want.Rto || i.RTT != want.Rtt || i.Retransmits != want.Retransmits || i.Probes != want.Probes || i.Backoff != want.Backoff {
			t.Errorf("timing %+v; TCP_INFO says %+v", i, want)
		}
		if i.SendWindow != want.Snd_wnd || i.NotSent != want.Notsent_bytes || i.Unacked != want.Unacked {
			t.Errorf("sending %+v; TCP_INFO says %+v", i, want)
		}
		for _, x := range []struct{ row, later uint32 }{
			{i.LastDataSent, want.Last_data_sent}, {i.LastDataRecv, want.Last_data_recv}, {i.LastAckRecv, want.Last_ack_recv},
		} {
			if x.row > x.later || x.later-x.row > 5000 {
				t.Errorf("time is %d ms, and later TCP_INFO says %d", x.row, x.later)
			}
		}
	})
}

// stillInfo reads fd's row and TCP_INFO at one state of the connection: its last
// delayed ACK may go out between two reads.
func stillInfo(t *testing.T, fd int) (Row, *unix.TCPInfo) {
	t.Helper()
	ask := func() *unix.TCPInfo {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		must(t, "TCP_INFO", err)
		return info
	}
	conn := dial(t)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		before := ask()
		row := eventually(t, conn, Query{States: States(tcp.CloseWait), Info: true}, between(flow(t, fd)))
		after := ask()
		if before.Segs_out == after.Segs_out && before.Segs_in == after.Segs_in && before.Bytes_acked == 12 {
			return row, after
		}
	}
	t.Fatal("the connection never came to rest")
	return Row{}, nil
}

func TestWithoutInfoNoneComes(t *testing.T) {
	_, s := variants()[0].pair(t)
	row := eventually(t, dial(t), Query{}, between(flow(t, s)))
	if row.HasInfo || row.Info != (TCPInfo{}) {
		t.Errorf("info came unasked: %+v", row)
	}
	if !row.HasShutdown {
		t.Error("the shutdown bits did not come")
	}
}

func TestShutdownBits(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		for how, want := range map[int]uint8{unix.SHUT_RD: 1, unix.SHUT_WR: 2, unix.SHUT_RDWR: 3} {
			c, _ := v.pair(t)
			shutdown(t, c, how)
			f := flow(t, c)
			eventually(t, dial(t), Query{}, func(r Row) bool { return between(f)(r) && r.Shutdown == want })
		}
	})
}

func TestInterface(t *testing.T) {
	v := variants()[0]
	l := v.socket(t, 0)
	must(t, "SO_BINDTODEVICE", unix.SetsockoptString(l, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, "lo"))
	must(t, "bind", unix.Bind(l, v.sockaddr(0)))
	must(t, "listen", unix.Listen(l, 1))
	row := eventually(t, dial(t), Query{States: States(tcp.Listen)}, func(r Row) bool { return r.Cookie == cookie(t, l) })
	if row.Interface != 1 {
		t.Errorf("interface is %d, want 1 (lo)", row.Interface)
	}
	got, err := dial(t).Get(t.Context(), row.ID)
	must(t, "get", err)
	if got.ID != row.ID {
		t.Errorf("got %+v, want %+v", got.ID, row.ID)
	}
}
