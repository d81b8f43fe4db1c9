package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

func TestABurstGoesOnAtOnce(t *testing.T) {
	p := RFC9293()
	p.MSS = 100
	r := opened(t, p).do(Write(1950)).wantResult(1950, OK)
	total := 0
	for r.fx.Len() > 0 {
		for _, s := range r.fx.Segments() {
			total += int(s.Len)
			if s.Has(tcp.PSH) != (total == 1950) {
				t.Errorf("%v after %d octets", s, total)
			}
		}
		at, on := r.c.Deadline(Send)
		if on != (total < 1950) || on && at > r.now {
			t.Errorf("after %d octets the rest is due: %v, at %v", total, on, at)
		}
		if !on {
			break
		}
		r.tick()
	}
	if total != 1950 || r.c.Unsent() != 0 {
		t.Errorf("sent %d octets", total)
	}
}

func TestSmallSegmentsWait(t *testing.T) {
	p := RFC9293()
	p.Nagle = true
	r := opened(t, p).do(Write(10)).do(Write(10)).wantSent().do(Write(10)).wantSent()
	r.arrive(tcp.ACK, 0, 0, 0).wantSent("<SEQ=111><ACK=301><DATA=20><CTL=PSH|ACK>")
	// A FIN does not wait, nor what TCP_NODELAY sends.
	opened(t, p).do(Write(10)).do(Write(10)).do(Close()).wantSent("<SEQ=111><ACK=301><DATA=10><CTL=FIN|PSH|ACK>")
	opened(t, p).do(NoDelay(true)).do(Write(10)).do(Write(10)).wantSent("<SEQ=111><ACK=301><DATA=10><CTL=PSH|ACK>")
	// Silly window avoidance (MUST-38): a crumb of window is not used while
	// something is outstanding.
	opened(t, RFC9293()).do(Write(3960)).do(Write(1000)).wantSent()
}

func TestDelayedAck(t *testing.T) {
	p := RFC9293()
	p.DelayedAck = 40 * Millisecond
	r := opened(t, p).arrive(tcp.ACK, 0, 0, 10).wantSent()
	if took := r.tick(); took != 40*Millisecond {
		t.Errorf("an ACK waits for %v", took)
	}
	r.wantSent("<SEQ=101><ACK=311><CTL=ACK>")
	r.arrive(tcp.ACK, 0, 0, 10).wantSent().arrive(tcp.ACK, 0, 0, 10).wantSent("<SEQ=101><ACK=331><CTL=ACK>")
	r.arrive(tcp.ACK, 0, 0, 10).do(Write(5)).wantSent("<SEQ=101><ACK=341><DATA=5><CTL=PSH|ACK>")
	if _, on := r.c.Deadline(DelayedAck); on {
		t.Error("an ACK is still delayed after data took it along")
	}
	r.arrive(tcp.FIN|tcp.ACK, 0, 0, 10).wantSent("<SEQ=106><ACK=352><CTL=ACK>")
}

// RFC 9293 §3.10.7.4: "The total of RCV.NXT and RCV.WND should not be reduced";
// §3.8.6.2.2: nor moved by crumbs.
func TestTheWindowOpensWithReading(t *testing.T) {
	r := opened(t, RFC9293()).arrive(tcp.ACK, 0, 0, 1000)
	if w := r.c.RcvWnd(); w != 0 {
		t.Fatalf("a full buffer offers %d", w)
	}
	r.do(Read(499)).wantSent().do(Read(1)).wantSent("<SEQ=101><ACK=1301><CTL=ACK>")
	if w := r.c.RcvWnd(); w != 500 {
		t.Errorf("with 500 octets read it offers %d", w)
	}
	r.do(Read(500)).wantSent() // the peer can go on already
}

func TestSegmentsRespectTheMSS(t *testing.T) {
	r := newRig(t, RFC9293()).do(OpenActive(iss))
	if mss := r.fx.Segment(0).MSS; mss != 1460 {
		t.Errorf("the SYN says %d", mss)
	}
	// MUST-15: 536 without the option.
	r.do(Arrive(tcp.Segment{Seq: irs, Ack: iss + 1, Flags: tcp.SYN | tcp.ACK, Window: wnd})).do(Write(600))
	r.wantSent("<SEQ=101><ACK=301><DATA=536><CTL=ACK>", "<SEQ=637><ACK=301><DATA=64><CTL=PSH|ACK>")
}

func TestNumbersWrap(t *testing.T) {
	// Both sequence spaces wrap in mid-connection, FIN included.
	p := RFC9293()
	r := newRig(t, p).do(OpenActive(1<<32 - 6))
	r.do(Arrive(tcp.Segment{Seq: 1<<32 - 4, Ack: 1<<32 - 5, Flags: tcp.SYN | tcp.ACK, Window: wnd, MSS: 1460}))
	r.do(Write(4)).wantSent("<SEQ=4294967291><ACK=4294967293><DATA=4><CTL=PSH|ACK>")
	r.arrive(tcp.ACK, 0, 0, 10).wantSent("<SEQ=4294967295><ACK=7><CTL=ACK>")
	r.do(Shutdown(ShutWrite)).wantSent("<SEQ=4294967295><ACK=7><CTL=FIN|ACK>")
	r.do(Arrive(tcp.Segment{Seq: 7, Ack: 0, Flags: tcp.ACK, Window: wnd})).wantState(tcp.FinWait2)
	r.do(Arrive(tcp.Segment{Seq: 7, Ack: 0, Flags: tcp.FIN | tcp.ACK, Window: wnd})).wantState(tcp.TimeWait).wantSent("<SEQ=0><ACK=8><CTL=ACK>")
}

func TestSendQueueIsWhatIsNotAcknowledged(t *testing.T) {
	r := opened(t, Linux()).do(Write(10)).do(Shutdown(ShutWrite))
	if q := r.c.SendQ(); q != 11 {
		t.Errorf("Send-Q is %d with 10 octets and a FIN out", q)
	}
	r.arrive(tcp.ACK, 0, -1, 0)
	if q := r.c.SendQ(); q != 1 {
		t.Errorf("Send-Q is %d with a FIN out", q)
	}
	r.arrive(tcp.ACK, 0, 0, 0)
	if q := r.c.SendQ(); q != 0 {
		t.Errorf("Send-Q is %d in FIN-WAIT-2", q)
	}
}
