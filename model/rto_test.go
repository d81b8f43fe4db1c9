package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

func rtoFloor(t *testing.T) {
	r := opened(t, RFC9293())
	for range 50 {
		r.do(Write(5)).after(Millisecond).arrive(tcp.ACK, 0, 0, 0)
	}
	if r.c.RTO() != Second {
		t.Errorf("the RTO is %v after round trips of 1 ms", r.c.RTO())
	}
	for range 50 {
		r.do(Write(5)).after(3*Second).arrive(tcp.ACK, 0, 0, 0)
	}
	if rto := r.c.RTO(); rto < 3*Second || rto > 4*Second {
		t.Errorf("the RTO is %v after round trips of 3 s", rto)
	}
}
