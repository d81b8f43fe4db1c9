package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

func keepaliveSwitch(t *testing.T) {
	for _, p := range Profiles() {
		r := opened(t, p)
		if _, on := r.c.Deadline(Keepalive); on != p.KeepDefault {
			t.Errorf("%s: keepalive is on by default: %v", p.Name, on)
		}
		r.do(KeepAlive(true, 0, 0, 0))
		if _, on := r.c.Deadline(Keepalive); !on {
			t.Errorf("%s: keepalive does not turn on", p.Name)
		}
		r.do(KeepAlive(false, 0, 0, 0))
		if _, on := r.c.Deadline(Keepalive); on {
			t.Errorf("%s: keepalive does not turn off", p.Name)
		}
	}
}

func keepaliveOnlyIdle(t *testing.T) {
	r := opened(t, RFC9293()).do(KeepAlive(true, 10*Second, Second, 3))
	r.after(9*Second).arrive(tcp.ACK, 0, 0, 0)
	if took := r.tick(); took != 10*Second || r.fx.Len() != 1 {
		t.Errorf("%d probes went out %v after a segment came", r.fx.Len(), took)
	}
	// Something outstanding: the retransmission timer sees to it.
	r = opened(t, RFC9293()).do(KeepAlive(true, 500*Millisecond, Second, 3)).do(Write(5))
	r.tick()
	r.wantSent()
	if _, on := r.c.Deadline(Keepalive); !on {
		t.Error("keepalive does not go on")
	}
}

func keepaliveInterval(t *testing.T) {
	for _, p := range Profiles() {
		r := opened(t, p).do(KeepAlive(true, 0, 0, 0))
		if took := r.tick(); took < 2*Hour {
			t.Errorf("%s: the first probe goes out after %v", p.Name, took)
		}
		r = opened(t, p).do(KeepAlive(true, 7*Second, 3*Second, 4))
		if a, b := r.tick(), r.tick(); a != 7*Second || b != 3*Second {
			t.Errorf("%s: set to 7 s and 3 s, probes go out after %v and %v", p.Name, a, b)
		}
	}
}

func keepaliveNotOne(t *testing.T) {
	for _, p := range Profiles() {
		r := in(t, p, tcp.CloseWait).do(KeepAlive(true, 0, 0, 0))
		start := r.now
		probes := 0
		for r.c.State() == tcp.CloseWait {
			r.tick()
			if r.c.State() == tcp.CloseWait {
				probes++
			}
		}
		if probes != int(p.KeepProbes) || probes < 2 {
			t.Errorf("%s: ends after %d probes", p.Name, probes)
		}
		if p.Name == "linux" && r.now-start != 7875*Second {
			t.Errorf("linux: ends after %v, and 7200 + 9 times 75 s are 7875 s", r.now-start)
		}
		r.do(GetError()).wantResult(0, ETIMEDOUT)
	}
	in(t, Linux(), tcp.CloseWait).do(KeepAlive(true, Second, Second, 1)).do(Tick()).wantState(tcp.CloseWait)
}

func keepaliveProbe(t *testing.T) {
	for _, p := range Profiles() {
		// C9: SEG.SEQ = SND.NXT-1; the peer has that octet, and answers.
		r := in(t, p, tcp.CloseWait).do(KeepAlive(true, 0, 0, 0))
		r.tick()
		r.wantSent("<SEQ=100><ACK=302><CTL=ACK>")
		r.arrive(tcp.ACK, 0, 0, 0).wantState(tcp.CloseWait).wantSent()
		if took := r.tick(); took != p.KeepIdle {
			t.Errorf("%s: the next probe goes out %v after an answer", p.Name, took)
		}
		r.arrive(tcp.RST, 0, 0, 0).wantState(tcp.Closed)
	}
}
