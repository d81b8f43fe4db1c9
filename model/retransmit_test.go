package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

// toTheEnd ticks until the connection is closed, and returns how often it
// retransmitted, and how long it took from the first retransmission on.
func (r *rig) toTheEnd() (n int, took Time) {
	r.t.Helper()
	first := Time(0)
	for r.c.State() != tcp.Closed {
		r.tick()
		if r.fx.Len() > 0 && r.c.State() != tcp.Closed {
			n++
			if first == 0 {
				first = r.now
			}
		}
		if n > 1000 {
			r.t.Fatal("it never gives up")
		}
	}
	return n, r.now - first
}

func givesUpAtR2(t *testing.T) {
	for _, p := range Profiles() {
		if p.R2 == 0 {
			continue
		}
		r := opened(t, p).do(Write(5))
		sent := r.now
		n, _ := r.toTheEnd()
		if n < int(p.R2) || r.now-sent < 100*Second {
			t.Errorf("%s: gives up after %d retransmissions in %v", p.Name, n, r.now-sent)
		}
		r.do(GetError()).wantResult(0, ETIMEDOUT)
		if reset := r.fx.Len() > 0; reset {
			t.Errorf("%s: says something after the end", p.Name)
		}
	}
}

// kernel-facts: "tcp_retries2=15 → 924.6 s. retrans_stamp is the first RTO. No
// RST is sent on expiry", and for an orphan "0 meaning 8 → 102.2 s".
func TestLinuxRetransmissionLimits(t *testing.T) {
	for _, row := range []struct {
		e    Event
		want Time
	}{{Write(5), 924600 * Millisecond}, {Shutdown(ShutWrite), 924600 * Millisecond}, {Close(), 102200 * Millisecond}} {
		// It ends at the first RTO that is not before the limit.
		r := opened(t, Linux()).do(row.e)
		if _, took := r.toTheEnd(); took < row.want || took > row.want+5*Second {
			t.Errorf("after %v the connection ends %v after the first RTO, want %v", row.e.Kind, took, row.want)
		}
		r.wantSent()
	}
	p := Linux()
	if a, b := p.retransmissionSpan(15), p.retransmissionSpan(8); a != 924600*Millisecond || b != 102200*Millisecond {
		t.Errorf("model times are %v and %v", a, b)
	}
}

func setsR2(t *testing.T) {
	r := opened(t, RFC9293()).do(UserTimeout(1000 * Hour)).do(Write(5))
	for range 100 {
		r.tick()
	}
	r.wantState(tcp.Established)
	opened(t, RFC9293()).do(UserTimeout(3 * Second)).do(Write(5)).after(3 * Second).do(Tick()).wantState(tcp.Closed)
}

func synForThreeMinutes(t *testing.T) {
	r := in(t, RFC9293(), tcp.SynSent)
	start := r.now
	r.tick()
	r.wantSent("<SEQ=100><CTL=SYN>")
	r.toTheEnd()
	if took := r.now - start; took < 3*Minute {
		t.Errorf("gives up after %v", took)
	}
	r.do(GetError()).wantResult(0, ETIMEDOUT)
	r = in(t, RFC9293(), tcp.SynReceived)
	r.tick()
	r.wantSent("<SEQ=100><ACK=301><CTL=SYN|ACK>")
}

func toldAtR1(t *testing.T) {
	r := opened(t, RFC9293()).do(Write(5))
	for n := 1; n <= 5; n++ {
		r.tick()
		if told := r.fx.Notes.Has(Struggling); told != (n == 3) {
			t.Errorf("told of trouble at retransmission %d: %v", n, told)
		}
	}
	r.wantState(tcp.Established)
}

func timerStarts(t *testing.T) {
	r := opened(t, RFC9293()).after(Minute).do(Write(5))
	if took := r.tick(); took != Second {
		t.Errorf("the timer runs for %v", took)
	}
	r = opened(t, RFC9293()).do(Write(5)).after(600 * Millisecond).do(Write(5))
	if took := r.tick(); took != 400*Millisecond {
		t.Errorf("a running timer was set to %v", took)
	}
}

func timerStops(t *testing.T) {
	r := opened(t, RFC9293()).do(Write(5)).do(Write(5)).arrive(tcp.ACK, 0, 0, 0)
	if at, on := r.c.NextDeadline(); on {
		t.Errorf("a timer runs until %v", at)
	}
	r = in(t, RFC9293(), tcp.FinWait2)
	if at, on := r.c.NextDeadline(); on {
		t.Errorf("a timer runs until %v in FIN-WAIT-2", at)
	}
}

func timerRestarts(t *testing.T) {
	r := opened(t, RFC9293()).do(Write(5)).do(Write(5)).after(600*Millisecond).arrive(tcp.ACK, 0, -5, 0)
	if took := r.tick(); took != r.c.RTO()/2 {
		t.Errorf("the timer runs for %v, the RTO was %v", took, r.c.RTO()/2)
	}
}

func retransmitsFirst(t *testing.T) {
	r := opened(t, RFC9293()).do(Write(3000)).do(Shutdown(ShutWrite))
	r.tick()
	r.wantSent("<SEQ=101><ACK=301><DATA=1460><CTL=ACK>")
	r.arrive(tcp.ACK, 0, -1541, 0).wantSent("<SEQ=1561><ACK=301><DATA=1460><CTL=ACK>")
	r.arrive(tcp.ACK, 0, -81, 0).wantSent("<SEQ=3021><ACK=301><DATA=80><CTL=FIN|PSH|ACK>")
	r.arrive(tcp.ACK, 0, -1, 0).wantSent("<SEQ=3101><ACK=301><CTL=FIN|ACK>").arrive(tcp.ACK, 0, 0, 0).wantState(tcp.FinWait2)
	if _, on := r.c.NextDeadline(); on {
		t.Error("a timer runs with nothing outstanding")
	}
	in(t, RFC9293(), tcp.LastAck).after(Second).do(Tick()).wantSent("<SEQ=101><ACK=302><CTL=FIN|ACK>")
}

func backsOff(t *testing.T) {
	r := opened(t, RFC9293()).do(Write(5))
	for _, want := range []Time{1, 2, 4, 8, 16, 32, 64} {
		if took := r.tick(); took != want*Second {
			t.Errorf("retransmits after %v, want %v", took, want*Second)
		}
		r.wantSent("<SEQ=101><ACK=301><DATA=5><CTL=PSH|ACK>")
	}
	if took := r.tick(); took != 64*Second {
		t.Errorf("gives up after %v", took)
	}
	r.wantState(tcp.Closed)
}

func lostSyn(t *testing.T) {
	r := in(t, RFC9293(), tcp.SynSent)
	r.tick()
	r.do(Arrive(tcp.Segment{Seq: irs, Ack: iss + 1, Flags: tcp.SYN | tcp.ACK, Window: wnd})).do(Write(5))
	if took := r.tick(); took != 3*Second {
		t.Errorf("after a lost SYN, data is retransmitted after %v", took)
	}
}

// C12: data that drew a RST which was lost is retransmitted, and draws another.
func TestRetransmissionDrawsANewReset(t *testing.T) {
	remote := in(t, Linux(), tcp.FinWait2).do(Close())
	local := in(t, Linux(), tcp.CloseWait).do(Write(5))
	data := local.fx.Segment(0)
	data.Seq, data.Ack = remote.c.rcvNxt, remote.c.nxt
	remote.do(Arrive(data)).wantState(tcp.Closed).wantSent("<SEQ=102><CTL=RST>")
	local.tick()
	local.wantSent("<SEQ=101><ACK=302><DATA=5><CTL=PSH|ACK>")
	remote.do(Arrive(data)).wantSent("<SEQ=102><CTL=RST>")
	local.arrive(tcp.RST, 0, 0, 0).wantState(tcp.Closed)
}
