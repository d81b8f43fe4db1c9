package model

import (
	"math/rand/v2"
	"testing"

	"github.com/closewait/closewait/tcp"
)

// A connection and its Essence do the same, whatever happens, step by step.
func TestEssenceBehavesTheSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 2013))
	for _, p := range Profiles() {
		for _, fixed := range []bool{false, true} {
			p.FixedRTO = fixed
			for range 200 {
				c, now := NewConn(&p), Epoch
				c, _ = Step(&p, c, OpenActive(100), now)
				for range 60 {
					now += Time(rng.Int64N(int64(20 * Second)))
					if at, on := c.NextDeadline(); on && rng.IntN(2) == 0 {
						now = max(now, at)
					}
					e := anyEvent(rng, &c)
					plain, did := Step(&p, c, e, now)
					essential, same := Step(&p, c.Essence(&p, now), e, now)
					// Struggling counts retransmissions too, but only up to R1.
					if did != same || plain.Essence(&p, now) != essential.Essence(&p, now) {
						t.Fatalf("%s, %v: %+v became %+v, its essence %+v", p.Name, e.Kind, c, plain, essential)
					}
					c = plain
				}
			}
		}
	}
}

// anyEvent is something that may well happen next.
func anyEvent(rng *rand.Rand, c *Conn) Event {
	switch rng.IntN(8) {
	case 0:
		return Write(uint32(1 + rng.IntN(3000)))
	case 1:
		return Read(uint32(rng.IntN(3000)))
	case 2:
		if rng.IntN(6) == 0 {
			return Close()
		}
		return Shutdown(How(1 + rng.IntN(3)))
	case 3, 4:
		return Tick()
	}
	seg := tcp.Segment{Seq: c.RcvNxt(), Ack: c.SndNxt(), Flags: tcp.ACK, Window: uint32(rng.IntN(2) * 4000)}
	switch rng.IntN(6) {
	case 0:
		seg.Len = uint32(rng.IntN(1500))
	case 1:
		seg.Flags |= tcp.FIN
	case 2:
		seg.Ack = c.SndUna()
	case 3:
		seg.Seq -= tcp.Seq(rng.IntN(3))
	}
	if c.State() == tcp.SynSent {
		seg.Flags |= tcp.SYN
	}
	return Arrive(seg)
}

// Zero-window probing lasts for ever, and comes back to where it was.
func TestEssenceOfProbingRepeats(t *testing.T) {
	p := Linux()
	p.FixedRTO, p.R2Base = true, 0
	c, now := NewConn(&p), Epoch
	c, _ = Step(&p, c, OpenActive(0), now)
	c, _ = Step(&p, c, Arrive(tcp.Segment{Ack: 1, Flags: tcp.SYN | tcp.ACK}), now)
	c, _ = Step(&p, c, Write(10), now)
	seen := map[Conn]bool{}
	for range 100 {
		at, on := c.NextDeadline()
		if !on {
			t.Fatalf("no probe is due: %+v", c)
		}
		now = at
		c, _ = Step(&p, c, Tick(), now)
		c, _ = Step(&p, c, Arrive(tcp.Segment{Seq: 1, Ack: 1, Flags: tcp.ACK}), now)
		e := c.Essence(&p, now).Relative(now)
		if seen[e] {
			return
		}
		seen[e] = true
	}
	t.Errorf("%d probes, and as many states", len(seen))
}
