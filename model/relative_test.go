package model

import (
	"math/rand/v2"
	"testing"

	"github.com/closewait/closewait/tcp"
)

// Two connections that differ in origin and time only are alike, whatever
// happens to both.
func TestRelativesBehaveAlike(t *testing.T) {
	for seed := range uint64(600) {
		r := rand.New(rand.NewPCG(seed, 3))
		profiles := Profiles()
		p := &profiles[r.IntN(len(profiles))]
		a, now := NewConn(p), Epoch+Time(r.Int64N(int64(Hour)))
		origin, start := tcp.Seq(r.Uint32()), now+Time(r.Int64N(int64(Hour)))
		b, shift := NewConn(p), start-now
		for range 60 {
			e := moved(r, &a)
			ra, fa := Step(p, a, e, now)
			rb, fb := Step(p, b, shifted(e, origin), now+shift)
			a, b = ra, rb
			for i, s := range fa.Segments() {
				if i >= fb.Len() || fb.Segment(i).Flags != s.Flags || fb.Segment(i).Len != s.Len {
					t.Fatalf("seed %d: %v and %v differ after %+v", seed, fa.Segments(), fb.Segments(), e)
				}
			}
			if x, y := a.Relative(now), b.Relative(now+shift); x != y {
				t.Fatalf("seed %d, %s: not alike after %+v:\n%+v\n%+v", seed, p.Name, e, x, y)
			}
			now += Time(r.Int64N(int64(Second)))
			if at, on := a.NextDeadline(); on && r.IntN(3) == 0 {
				now = max(now, at)
			}
		}
	}
}

// moved makes an event that means the same to connections of other origins.
func moved(r *rand.Rand, c *Conn) Event {
	near := func() tcp.Segment {
		seqs := []tcp.Seq{c.rcvNxt, c.rcvNxt + 10, c.rcvNxt - 1}
		acks := []tcp.Seq{c.nxt, c.nxt, c.una}
		flags := []tcp.Flags{tcp.ACK, tcp.ACK, tcp.FIN | tcp.ACK, tcp.SYN | tcp.ACK, tcp.SYN, tcp.RST}
		s := tcp.Segment{Seq: seqs[r.IntN(3)], Ack: acks[r.IntN(3)], Flags: flags[r.IntN(6)], Len: uint32(r.IntN(3) * 50), Window: uint32(r.IntN(3) * 900)}
		if c.in(unborn | 1<<tcp.SynSent) {
			s.Seq = 7000
		}
		return s
	}
	events := []Event{
		Tick(), Tick(), Write(700), Read(60), Close(), Shutdown(ShutWrite), KeepAlive(true, Second, Second, 2),
		OpenActive(0), OpenPassive(),
	}
	if i := r.IntN(2 * len(events)); i < len(events) {
		return events[i]
	}
	return Arrive(near())
}

// shifted moves both sequence spaces of an event.
func shifted(e Event, by tcp.Seq) Event {
	e.ISS += by
	if e.Kind == KindArrive {
		e.Segment.Seq += 3 * by
		e.Segment.Ack += by
	}
	return e
}

func TestRelativeIsItsOwnRelative(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 4))
		p := Linux()
		now := Hour
		c := somewhere(&p, r, now).Relative(now)
		if again := c.Relative(Epoch); again != c {
			t.Fatalf("seed %d:\n%+v\n%+v", seed, c, again)
		}
		if c.ISS() != 0 || c.IRS() != 0 {
			t.Fatalf("counts from %d and %d", c.ISS(), c.IRS())
		}
	}
}
