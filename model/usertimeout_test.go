package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

func userTimeoutAborts(t *testing.T) {
	r := opened(t, RFC9293()).do(UserTimeout(10 * Second)).do(Write(5))
	sent := r.now
	r.toTheEnd()
	if took := r.now - sent; took != 10*Second {
		t.Errorf("ends after %v", took)
	}
	r.do(Read(1)).wantResult(0, ETIMEDOUT)
	// An ACK of something new starts it again; with nothing outstanding it is off.
	r = opened(t, RFC9293()).do(UserTimeout(10*Second)).do(Write(5)).do(Write(5)).after(900*Millisecond).arrive(tcp.ACK, 0, -5, 0)
	if at, _ := r.c.Deadline(UserLimit); at != r.now+10*Second {
		t.Errorf("%v are left", at-r.now)
	}
	r.arrive(tcp.ACK, 0, 0, 0)
	if _, on := r.c.Deadline(UserLimit); on {
		t.Error("it runs with nothing outstanding")
	}
	in(t, RFC9293(), tcp.Established).do(UserTimeout(Second)).do(Shutdown(ShutWrite)).after(Second).do(Tick()).wantState(tcp.Closed)
	// Linux counts from the first retransmission, and clamps the RTO to it. A tail
	// probe is none.
	p := Linux()
	p.TailProbe = false
	r = opened(t, p).do(UserTimeout(10 * Second)).do(Write(5))
	if _, took := r.toTheEnd(); took != 10*Second {
		t.Errorf("linux: ends %v after the first retransmission", took)
	}
}
