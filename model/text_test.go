package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

func textIsTrimmed(t *testing.T) {
	for _, p := range Profiles() {
		r := opened(t, p).arrive(tcp.ACK, -3, 0, 10).wantSent("<SEQ=101><ACK=308><CTL=ACK>")
		if r.c.Unread() != 7 {
			t.Errorf("%s: %d octets are new", p.Name, r.c.Unread())
		}
		r = opened(t, p).arrive(tcp.ACK|tcp.FIN, 0, 0, 1500).wantState(tcp.Established)
		if r.c.Unread() != 1000 {
			t.Errorf("%s: %d octets fit the window", p.Name, r.c.Unread())
		}
	}
}

func heldForLater(t *testing.T) {
	for _, p := range Profiles() {
		r := opened(t, p)
		r.arrive(tcp.ACK|tcp.FIN, 40, 0, 10).wantSent("<SEQ=101><ACK=301><CTL=ACK>")
		r.arrive(tcp.ACK, 20, 0, 10).arrive(tcp.ACK, 10, 0, 5).wantState(tcp.Established)
		r.arrive(tcp.ACK, 0, 0, 10).wantSent("<SEQ=101><ACK=316><CTL=ACK>")
		r.arrive(tcp.ACK, 0, 0, 10).wantSent("<SEQ=101><ACK=331><CTL=ACK>")
		r.arrive(tcp.ACK, 0, 0, 10).wantSent("<SEQ=101><ACK=352><CTL=ACK>").wantState(tcp.CloseWait)
		r.do(Read(99)).wantResult(50, OK)
	}
}

func finByState(t *testing.T) {
	for _, p := range Profiles() {
		for _, row := range []struct{ from, to tcp.State }{
			{tcp.SynReceived, tcp.CloseWait}, {tcp.Established, tcp.CloseWait}, {tcp.FinWait2, tcp.TimeWait},
		} {
			r := in(t, p, row.from).arrive(tcp.FIN|tcp.ACK, 0, 0, 0).wantState(row.to)
			r.wantSent(r.ack())
			if !r.fx.Notes.Has(PeerClosed) {
				t.Errorf("%s: the application is not told of a FIN in %v", p.Name, row.from)
			}
		}
		in(t, p, tcp.FinWait1).arrive(tcp.FIN|tcp.ACK, 0, -1, 0).wantState(tcp.Closing).wantSent("<SEQ=102><ACK=302><CTL=ACK>")
		in(t, p, tcp.FinWait1).arrive(tcp.FIN|tcp.ACK, 0, 0, 0).wantState(tcp.TimeWait).wantSent("<SEQ=102><ACK=302><CTL=ACK>")
		// A repeated FIN is acknowledged again.
		for _, s := range []tcp.State{tcp.CloseWait, tcp.Closing, tcp.LastAck, tcp.TimeWait} {
			r := in(t, p, s)
			r.after(Second).arrive(tcp.FIN|tcp.ACK, -1, min(0, int(r.c.una.From(r.c.nxt))), 0).wantState(s).wantSent(r.ack())
		}
	}
}

// C1, C4: the FIN alone moves the endpoint and is acknowledged, with no help
// from the application.
func TestFINIsAckedByTCPAlone(t *testing.T) {
	for _, p := range Profiles() {
		r := opened(t, p).arrive(tcp.FIN|tcp.ACK, 0, 0, 0).wantState(tcp.CloseWait).wantSent("<SEQ=101><ACK=302><CTL=ACK>")
		if at, on := r.c.NextDeadline(); on && !p.KeepDefault {
			t.Errorf("%s: CLOSE-WAIT ends by itself at %v", p.Name, at)
		}
	}
}
