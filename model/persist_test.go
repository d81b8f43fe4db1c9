package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

// blockedSender has 50 octets to send and a peer that takes none.
func blockedSender(t *testing.T, p Profile) *rig {
	t.Helper()
	return opened(t, p).window(101, 0).do(Write(50)).wantSent()
}

func probesZeroWindow(t *testing.T) {
	for _, p := range Profiles() {
		r := blockedSender(t, p)
		probe := "<SEQ=101><ACK=301><DATA=1><CTL=ACK>"
		if p.OldProbe {
			probe = "<SEQ=100><ACK=301><CTL=ACK>"
		}
		last := Time(0)
		for n := range 5 {
			took := r.tick()
			r.wantSent(probe)
			if n == 0 && took < r.p.RTOMin {
				t.Errorf("%s: the first probe goes out after %v", p.Name, took)
			}
			if n > 0 && took != min(2*last, max(p.PersistMax, p.RTOMax)) && took != p.PersistMax {
				t.Errorf("%s: probe %d goes out after %v, the one before after %v", p.Name, n, took, last)
			}
			last = took
		}
		if _, on := r.c.Deadline(Probe); !on {
			t.Errorf("%s: no probe timer", p.Name)
		}
		r.window(101, wnd).wantSent(
			map[bool]string{true: "<SEQ=101><ACK=301><DATA=50><CTL=PSH|ACK>", false: "<SEQ=101><ACK=301><DATA=1><CTL=ACK> <SEQ=102><ACK=301><DATA=49><CTL=PSH|ACK>"}[p.OldProbe])
		r.window(151, wnd)
		if at, on := r.c.Deadline(Probe); on {
			t.Errorf("%s: a probe is due at %v", p.Name, at)
		}
	}
}

func answeredProbesGoOn(t *testing.T) {
	for _, p := range Profiles() {
		r := blockedSender(t, p)
		for range 500 {
			r.tick()
			r.window(r.c.una, 0)
		}
		r.wantState(tcp.Established)
		// Unanswered they end it: send-blocked has a deadline then.
		if p.R2 == 0 {
			continue
		}
		for n := 0; r.c.State() != tcp.Closed; n++ {
			r.tick()
			if n > 100 {
				t.Fatalf("%s: never gives up", p.Name)
			}
		}
		r.do(GetError()).wantResult(0, ETIMEDOUT)
	}
}

func probesShrunkWindow(t *testing.T) {
	for _, p := range Profiles() {
		r := opened(t, p).do(Write(50)).do(Arrive(tcp.Segment{Seq: irs + 1, Ack: 101, Flags: tcp.ACK}))
		if _, on := r.c.Deadline(Probe); !on {
			t.Errorf("%s: no probe when the window shrinks to zero", p.Name)
		}
		r.tick()
		if r.fx.Len() != 1 {
			t.Errorf("%s: probes with %q", p.Name, r.sent())
		}
		r.window(101, wnd).wantSent("<SEQ=101><ACK=301><DATA=50><CTL=PSH|ACK>")
	}
}

// kernel-facts: "timer 4 (zero window): unanswered probes end it after
// retries2; while the peer ACKs them, never." And an orphan's probes end even
// when they are answered.
func TestLinuxOrphanProbesEnd(t *testing.T) {
	r := blockedSender(t, Linux())
	r.c.srtt = 1
	r.do(Close()).wantState(tcp.FinWait1).wantSent()
	start := r.now
	for r.c.State() != tcp.Closed {
		r.tick()
		if r.c.State() != tcp.Closed {
			r.window(r.c.una, 0)
		}
		if r.now-start > Hour {
			t.Fatal("never ends")
		}
	}
}

func TestProbedOctetsAreTaken(t *testing.T) {
	// The peer takes the probe's octet and keeps the window shut.
	r := blockedSender(t, RFC9293())
	r.tick()
	r.window(102, 0)
	r.tick()
	r.wantSent("<SEQ=102><ACK=301><DATA=1><CTL=ACK>")
	r.window(103, wnd).wantSent("<SEQ=103><ACK=301><DATA=48><CTL=PSH|ACK>")
	// A FIN into a shut window.
	r = opened(t, RFC9293()).window(101, 0).do(Shutdown(ShutWrite)).wantSent()
	r.tick()
	r.wantSent("<SEQ=101><ACK=301><CTL=FIN|ACK>")
	r.window(102, 0).wantState(tcp.FinWait2)
	if at, on := r.c.NextDeadline(); on {
		t.Errorf("a timer runs until %v", at)
	}
}
