package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

// The table of kernel-facts: when the FIN-WAIT-2 timer starts, how long it
// lasts, and what it does.
func TestFinWait2Timer(t *testing.T) {
	for _, row := range []struct {
		p                     Profile
		close, shut, shutBoth Time // how long after each; 0: no timer
		sent                  string
	}{
		{RFC9293(), 0, 0, 0, ""},
		{Linux(), 60 * Second, 0, 0, ""},
		{FreeBSD(), 600 * Second, 0, 600 * Second, ""},
		{XNU(), 60 * Second, 0, 60 * Second, "<SEQ=102><ACK=301><CTL=RST|ACK>"},
		{Illumos(), 675 * Second, 0, 0, ""},
		{HPUX(), 0, 0, 0, ""},
		{tuned(HPUX(), 30*Second), 30 * Second, 30 * Second, 30 * Second, "<SEQ=102><CTL=RST>"},
		{Windows(), 300 * Second, 300 * Second, 300 * Second, ""},
		{GVisor(), 60 * Second, 0, 0, ""},
		{LwIP(), 20 * Second, 0, 20 * Second, ""},
		{Smoltcp(), 0, 0, 0, ""},
		// tcp_fin_timeout = 90 lasts 60 s; 30 lasts 30 s.
		{tuned(Linux(), 90*Second), 60 * Second, 0, 0, ""},
		{tuned(Linux(), 30*Second), 30 * Second, 0, 0, ""},
	} {
		row.p.KeepDefault = false
		for _, how := range []struct {
			e    Event
			want Time
		}{{Close(), row.close}, {Shutdown(ShutWrite), row.shut}, {Shutdown(ShutBoth), row.shutBoth}} {
			r := opened(t, row.p).do(how.e).arrive(tcp.ACK, 0, 0, 0).wantState(tcp.FinWait2)
			checkFinWait(t, r, how.e, how.want, row.sent)
		}
	}
}

func tuned(p Profile, lasts Time) Profile {
	p.FinWait2.Lasts = lasts
	return p
}

func checkFinWait(t *testing.T, r *rig, e Event, want Time, sent string) {
	t.Helper()
	start := r.now
	for r.c.State() == tcp.FinWait2 {
		if _, on := r.c.NextDeadline(); !on {
			if want != 0 {
				t.Errorf("%s: no timer after %v", r.p.Name, e.Kind)
			}
			return
		}
		r.tick()
	}
	if took := r.now - start; took != want {
		t.Errorf("%s: FIN-WAIT-2 lasts %v after %v %d, want %v", r.p.Name, took, e.Kind, e.How, want)
	}
	r.wantState(tcp.Closed).wantSent(sent)
}

func TestFinWait2TimerStartsWithALateClose(t *testing.T) {
	r := in(t, Linux(), tcp.FinWait2).after(Hour).do(Close())
	if took := r.tick(); took != Minute {
		t.Errorf("lasts %v", took)
	}
	r.wantState(tcp.Closed).wantSent()
}

func TestLinger2(t *testing.T) {
	r := opened(t, Linux()).do(Linger2(-1)).do(Close()).arrive(tcp.ACK, 0, 0, 0).wantState(tcp.Closed)
	r.wantSent("<SEQ=102><ACK=301><CTL=RST|ACK>")
	r = in(t, Linux(), tcp.FinWait2).do(Linger2(-1)).do(Close()).wantState(tcp.Closed).wantSent("<SEQ=102><ACK=301><CTL=RST|ACK>")
	_ = r
	r = in(t, Linux(), tcp.FinWait2).do(Linger2(5 * Second)).do(Close())
	if took := r.tick(); took != 5*Second {
		t.Errorf("lasts %v", took)
	}
}

// kernel-facts: "a keepalive probe (old sequence number) → rate-limited ACK,
// timer not refreshed".
func TestProbesDoNotExtendAnOrphan(t *testing.T) {
	r := in(t, Linux(), tcp.FinWait2).do(Close())
	r.after(59*Second).arrive(tcp.ACK, -1, 0, 0).wantSent("<SEQ=102><ACK=301><CTL=ACK>").arrive(tcp.ACK, -1, 0, 0).wantSent()
	if took := r.tick(); took != Second {
		t.Errorf("%v are left", took)
	}
	r.wantState(tcp.Closed)
	// After that a probe draws a RST (C9).
	r.arrive(tcp.ACK, -1, 0, 0).wantSent("<SEQ=102><CTL=RST>")
}

// FreeBSD looks again each 75 s while the peer was heard.
func TestFreeBSDExtendsWhileThePeerIsHeard(t *testing.T) {
	r := in(t, FreeBSD(), tcp.FinWait2).do(Close())
	start := r.now
	r.after(300*Second).arrive(tcp.ACK, 0, 0, 0)
	for r.c.State() == tcp.FinWait2 {
		r.tick()
	}
	if took := r.now - start; took != 900*Second {
		t.Errorf("lasts %v", took)
	}
}

func TestMiniSocket(t *testing.T) {
	orphan := func() *rig { return in(t, Linux(), tcp.FinWait2).do(Close()) }
	orphan().arrive(tcp.RST, 500, 0, 0).wantState(tcp.Closed).wantSent()
	orphan().arrive(tcp.SYN, 5, 0, 0).wantState(tcp.Closed).wantSent("<SEQ=0><ACK=307><CTL=RST|ACK>")
	orphan().arrive(tcp.FIN|tcp.ACK, 0, 0, 0).wantState(tcp.TimeWait)
}
