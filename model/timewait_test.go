package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

// waysToTimeWait are the three edges that lead there.
func waysToTimeWait(t *testing.T, p Profile) map[string]*rig {
	t.Helper()
	return map[string]*rig{
		"FIN-WAIT-2, FIN":            in(t, p, tcp.FinWait2).arrive(tcp.FIN|tcp.ACK, 0, 0, 0),
		"FIN-WAIT-1, FIN of the ACK": in(t, p, tcp.FinWait1).arrive(tcp.FIN|tcp.ACK, 0, 0, 0),
		"CLOSING, ACK":               in(t, p, tcp.Closing).arrive(tcp.ACK, 0, 0, 0),
	}
}

func lingers(t *testing.T) {
	for _, p := range Profiles() {
		for way, r := range waysToTimeWait(t, p) {
			r.wantState(tcp.TimeWait)
			if took := r.tick(); took != 2*p.TimeWait.MSL {
				t.Errorf("%s: %s: TIME-WAIT lasts %v, and 2 MSL are %v", p.Name, way, took, 2*p.TimeWait.MSL)
			}
			r.wantState(tcp.Closed).wantSent()
		}
	}
}

func finRestarts2MSL(t *testing.T) {
	for _, p := range Profiles() {
		for _, r := range waysToTimeWait(t, p) {
			r.after(2*p.TimeWait.MSL-1).arrive(tcp.FIN|tcp.ACK, -1, 0, 0).wantState(tcp.TimeWait)
			r.wantSent("<SEQ=102><ACK=302><CTL=ACK>")
			if took := r.tick(); took != 2*p.TimeWait.MSL {
				t.Errorf("%s: %v are left after a repeated FIN", p.Name, took)
			}
		}
	}
}

func reopens(t *testing.T) {
	syn := func(r *rig, seq int, listening bool) *rig {
		e := Arrive(tcp.Segment{Seq: r.c.rcvNxt + tcp.Seq(seq), Flags: tcp.SYN, Window: wnd})
		e.Listening = listening
		return r.do(e)
	}
	for _, p := range []Profile{RFC9293(), Linux(), FreeBSD()} {
		r := in(t, p, tcp.TimeWait)
		reuse := r.c.ReuseISS()
		if !reuse.After(r.c.nxt) {
			t.Errorf("the new connection would count from %d, the old one went to %d", reuse, r.c.nxt)
		}
		syn(r, 1, true).wantState(tcp.Closed).wantSent()
		if !r.fx.Notes.Has(Reopen) {
			t.Errorf("%s: a new SYN is noted as %v", p.Name, r.fx.Notes)
		}
		syn(in(t, p, tcp.TimeWait), 0, true).wantState(tcp.TimeWait)  // an old duplicate
		syn(in(t, p, tcp.TimeWait), 1, false).wantState(tcp.TimeWait) // nobody listens
	}
}

func assassination(t *testing.T) {
	for _, p := range Profiles() {
		p.TimeWait.RFC1337 = true
		in(t, p, tcp.TimeWait).arrive(tcp.RST, 0, 0, 0).wantState(tcp.TimeWait).wantSent()
		p.TimeWait.RFC1337 = false
		in(t, p, tcp.TimeWait).arrive(tcp.RST, 0, 0, 0).wantState(tcp.Closed).wantSent()
	}
}

// Two ends in TIME-WAIT must not answer each other's ACKs for ever.
func TestTimeWaitsFallSilent(t *testing.T) {
	for _, p := range Profiles() {
		in(t, p, tcp.TimeWait).arrive(tcp.ACK, 0, 0, 0).wantSent().wantState(tcp.TimeWait)
	}
}
