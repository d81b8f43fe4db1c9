package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

func ackRange(t *testing.T) {
	for _, state := range []tcp.State{tcp.Established, tcp.FinWait1, tcp.FinWait2, tcp.CloseWait, tcp.Closing, tcp.LastAck} {
		r := in(t, RFC9293(), state)
		una := int(r.c.una.From(r.c.nxt))
		r.arrive(tcp.ACK, 0, 1, 5).wantState(state).wantSent(r.ack())
		r.arrive(tcp.ACK, 0, una-wnd-1, 5).wantState(state).wantSent(r.ack())
		if r.c.Unread() != 0 {
			t.Errorf("%v: data was taken with an ACK out of range", state)
		}
		if state == tcp.Established || state == tcp.FinWait2 {
			r.arrive(tcp.ACK, 0, una-wnd, 5)
			if r.c.Unread() != 5 {
				t.Errorf("%v: no data was taken with an ACK in range", state)
			}
		}
	}
	p := RFC9293()
	p.AckRange = false
	if r := opened(t, p).arrive(tcp.ACK, 0, -wnd-1, 5); r.c.Unread() != 5 {
		t.Error("an old ACK is refused without MAY-12")
	}
}

func ackByState(t *testing.T) {
	for _, p := range Profiles() {
		in(t, p, tcp.FinWait1).arrive(tcp.ACK, 0, 0, 0).wantState(tcp.FinWait2).wantSent()
		in(t, p, tcp.FinWait1).arrive(tcp.ACK, 0, -1, 0).wantState(tcp.FinWait1).wantSent()
		in(t, p, tcp.Closing).arrive(tcp.ACK, 0, 0, 0).wantState(tcp.TimeWait).wantSent()
		in(t, p, tcp.Closing).arrive(tcp.ACK, 0, -1, 0).wantState(tcp.Closing).wantSent()
		in(t, p, tcp.LastAck).arrive(tcp.ACK, 0, 0, 0).wantState(tcp.Closed).wantSent()
		in(t, p, tcp.SynReceived).arrive(tcp.ACK, 0, 1, 0).wantState(tcp.SynReceived).wantSent("<SEQ=102><CTL=RST>")
		in(t, p, tcp.SynReceived).arrive(tcp.ACK, 0, -1, 0).wantState(tcp.SynReceived).wantSent("<SEQ=100><CTL=RST>")
		in(t, p, tcp.Established).arrive(0, 0, 0, 5).wantState(tcp.Established).wantSent()
	}
	// "The check here prevents using old segments to update the window."
	r := opened(t, RFC9293()).do(Write(10)).window(111, wnd).window(101, 9)
	if r.c.SndWnd() != wnd {
		t.Errorf("an old segment set the window to %d", r.c.SndWnd())
	}
}
