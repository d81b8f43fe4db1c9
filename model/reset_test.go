package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

func resetThreeWays(t *testing.T) {
	for _, state := range synchronized {
		r := in(t, RFC9293(), state)
		r.arrive(tcp.RST, -1, 0, 0).wantState(state).wantSent()
		last := int(r.c.RcvWnd()) - 1
		r.arrive(tcp.RST, last+1, 0, 0).wantState(state).wantSent()
		r.arrive(tcp.RST, last, 0, 0).wantState(state).wantSent(r.ack())
		r.arrive(tcp.RST|tcp.ACK, 1, 0, 0).wantState(state).wantSent(r.ack())
		r.arrive(tcp.RST, 0, 0, 0).wantState(tcp.Closed).wantSent()
		p := RFC9293()
		p.InsecureRST = true
		in(t, p, state).arrive(tcp.RST, last+1, 0, 0).wantState(state).arrive(tcp.RST, last, 0, 0).wantState(tcp.Closed).wantSent()
	}
	// SYN-RECEIVED: back to LISTEN, or refused.
	in(t, RFC9293(), tcp.SynReceived).arrive(tcp.RST, 0, 0, 0).wantState(tcp.Listen).wantSent()
	in(t, RFC9293(), tcp.SynSent).do(Arrive(tcp.Segment{Seq: irs, Flags: tcp.SYN, Window: wnd})).
		arrive(tcp.RST, 0, 0, 0).wantState(tcp.Closed).do(GetError()).wantResult(0, ECONNREFUSED)
	in(t, FreeBSD(), tcp.SynReceived).arrive(tcp.RST|tcp.ACK, 0, 0, 0).wantState(tcp.SynReceived).
		arrive(tcp.RST, 0, 0, 0).wantState(tcp.Listen)
}

// kernel-facts: "RST accepted when SEQ = RCV.NXT exactly, or RCV.NXT−1 in
// CLOSE_WAIT/LAST_ACK/CLOSING."
func TestLinuxTakesAResetThatMissedTheFIN(t *testing.T) {
	for _, state := range []tcp.State{tcp.CloseWait, tcp.LastAck, tcp.Closing} {
		in(t, Linux(), state).arrive(tcp.RST, -1, 0, 0).wantState(tcp.Closed)
		in(t, FreeBSD(), state).arrive(tcp.RST, -1, 0, 0).wantState(state)
	}
	in(t, Linux(), tcp.Established).arrive(tcp.RST, -1, 0, 0).wantState(tcp.Established)
}
