package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

// The four cases, at the edges of a window of 1000 that starts at 301.
func acceptabilityTable(t *testing.T) {
	for _, row := range []struct {
		seq, n uint32
		wnd    uint32
		want   bool
	}{
		{301, 0, 0, true}, {300, 0, 0, false}, {302, 0, 0, false},
		{300, 0, 1000, false}, {301, 0, 1000, true}, {1300, 0, 1000, true}, {1301, 0, 1000, false},
		{301, 1, 0, false}, {300, 2, 0, false},
		{300, 1, 1000, false}, {300, 2, 1000, true}, {301, 5000, 1000, true}, {1300, 1, 1000, true}, {1301, 1, 1000, false},
	} {
		r := opened(t, RFC9293())
		r.c.adv = r.c.rcvNxt.Add(row.wnd)
		s := step{p: &r.p, c: &r.c}
		if got := s.acceptable(&tcp.Segment{Seq: tcp.Seq(row.seq), Len: row.n, Flags: tcp.ACK}); got != row.want {
			t.Errorf("%d octets at %d in a window of %d: acceptable %v", row.n, row.seq, row.wnd, got)
		}
	}
	// "If an incoming segment is not acceptable, an acknowledgment should be sent
	// in reply (unless the RST bit is set ...)".
	for _, state := range synchronized {
		r := in(t, RFC9293(), state)
		r.arrive(tcp.ACK, 1000, 0, 7).wantState(state).wantSent(r.ack())
		r.arrive(tcp.ACK, -50, 0, 7).wantState(state).wantSent(r.ack())
		r.arrive(tcp.RST, 1000, 0, 0).wantState(state).wantSent()
	}
	// "Special allowance should be made to accept valid ACKs": into a zero window.
	r := opened(t, RFC9293()).do(Write(10)).arrive(tcp.ACK, 0, -10, 1000)
	if r.c.RcvWnd() != 0 {
		t.Fatalf("the window is %d", r.c.RcvWnd())
	}
	r.arrive(tcp.ACK|tcp.FIN, 0, 0, 1).wantSent("<SEQ=111><ACK=1301><CTL=ACK>").wantState(tcp.Established)
	if r.c.SendQ() != 0 {
		t.Errorf("the ACK in a segment beyond a zero window was not taken")
	}
}

func synIsChallenged(t *testing.T) {
	for _, state := range synchronized {
		for _, flags := range []tcp.Flags{tcp.SYN, tcp.SYN | tcp.ACK, tcp.SYN | tcp.FIN} {
			for _, seq := range []int{-1, 0, 999, 1000} {
				r := in(t, RFC9293(), state)
				r.arrive(flags, seq, 0, 0).wantState(state).wantSent(r.ack())
			}
		}
	}
	p := RFC9293()
	p.InsecureSYN = true
	in(t, p, tcp.Established).arrive(tcp.SYN, 1000, 0, 0).wantState(tcp.Established).wantSent("<SEQ=101><ACK=301><CTL=ACK>").
		arrive(tcp.SYN, 999, 0, 0).wantState(tcp.Closed).wantSent("<SEQ=101><CTL=RST>").do(GetError()).wantResult(0, ECONNRESET)
	// SYN-RECEIVED, passive.
	in(t, RFC9293(), tcp.SynReceived).arrive(tcp.SYN, 5, 0, 0).wantState(tcp.Listen).wantSent()
	in(t, RFC9293(), tcp.SynReceived).arrive(tcp.SYN, -1, 0, 0).wantState(tcp.SynReceived).wantSent("<SEQ=101><ACK=301><CTL=ACK>")
	in(t, Linux(), tcp.SynReceived).arrive(tcp.SYN, -1, 0, 0).wantState(tcp.SynReceived).wantSent("<SEQ=100><ACK=301><CTL=SYN|ACK>")
	in(t, Linux(), tcp.SynReceived).arrive(tcp.SYN, 5, 0, 0).wantState(tcp.Listen).wantSent("<SEQ=0><ACK=307><CTL=RST|ACK>")
	in(t, FreeBSD(), tcp.SynReceived).arrive(tcp.SYN, 5, 0, 0).wantState(tcp.SynReceived).wantSent("<SEQ=100><ACK=301><CTL=SYN|ACK>")
}

func TestChallengesAreLimited(t *testing.T) {
	r := opened(t, Linux())
	r.arrive(tcp.ACK, -1, 0, 0).wantSent(r.ack())
	r.after(499*Millisecond).arrive(tcp.ACK, -1, 0, 0).wantSent()
	r.arrive(tcp.RST, 5, 0, 0).wantSent().arrive(tcp.ACK, -5, 0, 5).wantSent(r.ack())
	r.after(Millisecond).arrive(tcp.RST, 5, 0, 0).wantSent(r.ack())
}
