package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

// life is all that happens to a client that asks, is answered, and closes.
func life(p *Profile) ([]Event, Time) {
	at := func(seq, ack tcp.Seq, n uint32, f tcp.Flags) Event {
		return Arrive(tcp.Segment{Seq: seq, Ack: ack, Len: n, Window: wnd, Flags: f})
	}
	return []Event{
		OpenActive(iss), at(irs, iss+1, 0, tcp.SYN|tcp.ACK), Write(500), at(301, 601, 0, tcp.ACK), at(301, 601, 900, tcp.ACK|tcp.PSH),
		Read(1000), Close(), at(1201, 602, 0, tcp.ACK), at(1201, 602, 0, tcp.FIN|tcp.ACK), Tick(),
	}, 2*p.TimeWait.MSL + Second
}

func BenchmarkStep(b *testing.B) {
	p := Linux()
	events, wait := life(&p)
	b.ReportAllocs()
	for i := 0; b.Loop(); {
		c := NewConn(&p)
		for k, e := range events {
			now := Second
			if k == len(events)-1 {
				now += wait
			}
			c, _ = Step(&p, c, e, now)
			i++
		}
		if c.State() != tcp.Closed {
			b.Fatal("the life ends in ", c.State())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/step")
}

func TestStepAllocatesNothing(t *testing.T) {
	p := Linux()
	events, wait := life(&p)
	allocs := testing.AllocsPerRun(100, func() {
		c := NewConn(&p)
		for _, e := range events {
			c, _ = Step(&p, c, e, Second)
		}
		c, _ = Step(&p, c, Tick(), Second+wait)
		if c.Relative(Second).State() != tcp.Closed {
			t.Error("the life does not end")
		}
	})
	if allocs != 0 {
		t.Errorf("a life takes %v allocations", allocs)
	}
}

// A search keeps its states in a map.
func BenchmarkConnAsKey(b *testing.B) {
	p := Linux()
	seen := map[Conn]bool{}
	c := NewConn(&p)
	b.ReportAllocs()
	for b.Loop() {
		c.iss = (c.iss + 1) % 4096
		seen[c] = true
	}
}
