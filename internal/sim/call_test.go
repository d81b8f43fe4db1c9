package sim

import (
	"net/netip"
	"testing"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

func linuxWire(t *testing.T) *wire {
	t.Helper()
	return newWire(t, model.Linux(), model.Linux())
}

func TestConnectIsRefusedWhereNobodyListens(t *testing.T) {
	w := linuxWire(t)
	fd := w.connect()
	w.wantState(w.client, fd, tcp.Closed)
	if res := w.call(w.client, fd, model.GetError()); res.Err != model.ECONNREFUSED {
		t.Errorf("SO_ERROR is %v", res.Err)
	}
	if _, ok := w.client.Conn(fd); !ok {
		t.Error("the descriptor is gone")
	}
}

func TestCallsOnWhatIsNotThere(t *testing.T) {
	w := linuxWire(t)
	h := w.client
	if res := w.call(h, 99, model.Read(1)); res.Err != model.EBADF {
		t.Error("read:", res.Err)
	}
	if res, _ := h.Connect(w.now, 99, service); res.Err != model.EBADF {
		t.Error("connect:", res.Err)
	}
	if _, err := h.Accept(w.now, 99); err != model.EBADF {
		t.Error("accept:", err)
	}
	fd := h.Socket()
	if _, err := h.Accept(w.now, fd); err != model.EINVAL {
		t.Error("accept without listen:", err)
	}
	if res := w.call(h, fd, model.Arrive(tcp.Segment{})); res.Err != model.EINVAL {
		t.Error("a segment is no call:", res.Err)
	}
	if res := w.call(h, fd, model.Read(1)); res.Err != model.ENOTCONN {
		t.Error("read before connect:", res.Err)
	}
	if res := w.call(h, fd, model.Close()); res.Err != model.OK {
		t.Error("close:", res.Err)
	}
	if res := w.call(h, fd, model.Close()); res.Err != model.EBADF {
		t.Error("second close:", res.Err)
	}
}

func TestPortsAreTakenOnce(t *testing.T) {
	w := linuxWire(t)
	w.listen(1)
	second := w.server.Socket()
	if err := w.server.Bind(second, 80); err != model.EADDRINUSE {
		t.Error("bind to a listener's port:", err)
	}
	seen := map[netip.AddrPort]bool{}
	for range 100 {
		flow, _ := w.client.Flow(w.connect())
		if seen[flow.Local] || flow.Local.Port() < firstPort {
			t.Errorf("local address %v", flow.Local)
		}
		seen[flow.Local] = true
	}
}

func TestFullAcceptQueueHoldsHandshakesBack(t *testing.T) {
	w := linuxWire(t)
	l := w.listen(1)
	var fds []FD
	for range 4 {
		fds = append(fds, w.connect())
	}
	for i, fd := range fds {
		c, _ := w.client.Conn(fd)
		if want := map[bool]tcp.State{true: tcp.Established, false: tcp.SynSent}[i < 2]; c.State() != want {
			t.Errorf("connection %d is in %v, want %v", i, c.State(), want)
		}
	}
	w.accept(l)
	w.accept(l)
	if _, err := w.server.Accept(w.now, l); err != model.EAGAIN {
		t.Error("accept:", err)
	}
	w.wait(2 * model.Second) // the SYNs come again
	w.accept(l)
	w.accept(l)
}

// causes.md, never-accepted: CLOSE_WAIT without a descriptor, counted in the
// listener's queue.
func TestNeverAccepted(t *testing.T) {
	w := linuxWire(t)
	l := w.listen(8)
	c := w.connect()
	w.call(w.client, c, model.Write(100))
	w.call(w.client, c, model.Close())
	var found bool
	for _, row := range w.server.Sockets() {
		if row.Conn.State() == tcp.CloseWait {
			found = row.Waiting && len(row.FDs) == 0 && row.Conn.RecvQ() == 101
		}
		if row.Conn.State() == tcp.Listen && (row.Queued != 1 || row.Backlog != 8) {
			t.Errorf("the listener's queue is %d of %d", row.Queued, row.Backlog)
		}
	}
	if !found {
		t.Errorf("no connection waits in CLOSE_WAIT: %+v", w.server.Sockets())
	}
	// Closing the listener resets what waits (kernel-facts).
	w.seen = nil
	w.call(w.server, l, model.Close())
	if len(w.seen) != 1 || !w.seen[0].Segment.Has(tcp.RST) {
		t.Errorf("sent %v", w.seen)
	}
	if rows := w.server.Sockets(); len(rows) != 0 {
		t.Errorf("left: %+v", rows)
	}
}

func TestDeadConnectionsInTheQueue(t *testing.T) {
	for _, row := range []struct {
		p    model.Profile
		want model.Errno
	}{{model.Linux(), model.OK}, {model.FreeBSD(), model.EAGAIN}} {
		w := newWire(t, row.p, row.p)
		l := w.listen(8)
		c := w.connect()
		w.call(w.client, c, model.Abort())
		fd, err := w.server.Accept(w.now, l)
		if err != row.want {
			t.Errorf("%s: accept returned %v, want %v", row.p.Name, err, row.want)
		}
		if err == model.OK {
			w.wantState(w.server, fd, tcp.Closed)
			w.wantRead(w.server, fd, model.Result{Err: model.ECONNRESET})
		}
	}
}

// "After fork one socket has several owners; a close in one sends no FIN."
func TestSharedSocketsCloseOnce(t *testing.T) {
	w := linuxWire(t)
	c, s := w.pair()
	other, err := w.client.Dup(c)
	if err != model.OK {
		t.Fatal(err)
	}
	w.call(w.client, c, model.Close())
	w.wantState(w.server, s, tcp.Established)
	w.call(w.client, other, model.Close())
	w.wantState(w.server, s, tcp.CloseWait)
}

func TestExitClosesEverything(t *testing.T) {
	w := linuxWire(t)
	c, s := w.pair()
	w.call(w.server, s, model.Write(10))
	flow, _ := w.client.Flow(c)
	w.pass(w.client.Exit(w.now))
	if _, ok := w.client.Find(flow); ok {
		t.Error("unread data, and the connection lives on")
	}
	w.wantState(w.server, s, tcp.Closed)
	if rows := w.client.Sockets(); len(rows) != 0 {
		t.Errorf("left: %+v", rows)
	}
	w.pass(w.server.Exit(w.now))
	if rows := w.server.Sockets(); len(rows) != 0 {
		t.Errorf("left: %+v", rows)
	}
}

func TestListenerHandsItsOptionsOn(t *testing.T) {
	w := linuxWire(t)
	l := w.listen(1)
	w.call(w.server, l, model.KeepAlive(true, model.Minute, model.Second, 2))
	w.connect()
	s := w.accept(l)
	if c, _ := w.server.Conn(s); !c.KeepAliveOn() {
		t.Error("keepalive is not inherited by accepted sockets")
	}
}
