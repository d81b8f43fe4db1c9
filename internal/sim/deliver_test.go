package sim

import (
	"net/netip"
	"testing"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

func TestStrayPacketsAreReset(t *testing.T) {
	w := linuxWire(t)
	from := netip.AddrPortFrom(clientAddr, 5000)
	for _, row := range []struct {
		seg  tcp.Segment
		want string
	}{
		{tcp.Segment{Seq: 5, Ack: 9, Flags: tcp.ACK, Len: 1}, "<SEQ=9><CTL=RST>"},
		{tcp.Segment{Seq: 5, Flags: tcp.SYN}, "<SEQ=0><ACK=6><CTL=RST|ACK>"},
		{tcp.Segment{Seq: 5, Flags: tcp.RST}, ""},
	} {
		got := ""
		for _, p := range w.server.Deliver(w.now, Packet{From: from, To: service, Segment: row.seg}) {
			if p.From != service || p.To != from {
				t.Errorf("the answer goes from %v to %v", p.From, p.To)
			}
			got += p.Segment.String()
		}
		if got != row.want {
			t.Errorf("%v is answered by %q, want %q", row.seg, got, row.want)
		}
	}
	if out := w.server.Deliver(w.now, Packet{From: from, To: from, Segment: tcp.Segment{Flags: tcp.SYN}}); out != nil {
		t.Errorf("a packet for somebody else is answered by %v", out)
	}
}

// RFC 9293 §3.6.1, MAY-2: while a listener lives.
func TestTimeWaitGivesWayToANewSyn(t *testing.T) {
	w := linuxWire(t)
	l := w.listen(8)
	c := w.connect()
	s := w.accept(l)
	flow, _ := w.client.Flow(c)
	w.call(w.server, s, model.Close())
	w.call(w.client, c, model.Close())
	old, ok := w.server.Find(flow.Reverse())
	if !ok || old.State() != tcp.TimeWait {
		t.Fatalf("the server is in %v", old.State())
	}
	fd := w.client.Socket()
	if err := w.client.Bind(fd, flow.Local.Port()); err != model.OK {
		t.Fatal(err)
	}
	_, out := w.client.Connect(w.now, fd, service)
	w.pass(out)
	w.wantState(w.client, fd, tcp.Established)
	again := w.accept(l)
	w.wantState(w.server, again, tcp.Established)
	if now, _ := w.server.Conn(again); !now.ISS().After(old.SndNxt()) {
		t.Errorf("the new connection counts from %d, the old one went to %d", now.ISS(), old.SndNxt())
	}
}

// C8, end to end: data to a peer that has closed draws a RST, the connection is
// gone, the descriptor is not.
func TestResetMasksTheLeak(t *testing.T) {
	w := linuxWire(t)
	c, s := w.pair()
	w.call(w.server, s, model.Close())
	w.wantState(w.client, c, tcp.CloseWait)
	w.call(w.client, c, model.Write(5))
	w.wantState(w.client, c, tcp.Closed)
	rows := w.client.Sockets()
	if len(rows) != 1 || len(rows[0].FDs) != 1 || rows[0].FDs[0] != c {
		t.Errorf("left: %+v", rows)
	}
	w.wantRead(w.client, c, eof)
	if res := w.call(w.client, c, model.GetError()); res.Err != model.EPIPE {
		t.Errorf("SO_ERROR is %v", res.Err)
	}
}

// C10, C14: who tells the peer that FIN-WAIT-2 has expired.
func TestCloseWaitOutlivesASilentPeer(t *testing.T) {
	for _, row := range []struct {
		server model.Profile
		want   tcp.State
	}{{model.Linux(), tcp.CloseWait}, {model.XNU(), tcp.Closed}, {model.FreeBSD(), tcp.CloseWait}} {
		w := newWire(t, model.Linux(), row.server)
		c, s := w.pair()
		w.call(w.server, s, model.Close())
		w.wait(model.Hour)
		w.wantState(w.client, c, row.want)
	}
	// C9 as corrected: keepalive finds out once the peer's FIN-WAIT-2 is over.
	w := linuxWire(t)
	c, s := w.pair()
	w.call(w.client, c, model.KeepAlive(true, 15*model.Second, 15*model.Second, 3))
	w.call(w.server, s, model.Close())
	w.wait(59 * model.Second)
	w.wantState(w.client, c, tcp.CloseWait)
	w.wait(20 * model.Second)
	w.wantState(w.client, c, tcp.Closed)
}

func TestWatchSeesEveryChange(t *testing.T) {
	w := linuxWire(t)
	var path []tcp.State
	w.client.Watch = func(c Change) {
		if c.From != c.To {
			path = append(path, c.To)
		}
	}
	c, s := w.pair()
	w.call(w.client, c, model.Close())
	w.call(w.server, s, model.Close())
	w.wait(2 * model.Minute)
	want := []tcp.State{tcp.SynSent, tcp.Established, tcp.FinWait1, tcp.FinWait2, tcp.TimeWait, tcp.Closed}
	if len(path) != len(want) {
		t.Fatalf("went %v, want %v", path, want)
	}
	for i := range want {
		if path[i] != want[i] {
			t.Errorf("went %v, want %v", path, want)
		}
	}
}
