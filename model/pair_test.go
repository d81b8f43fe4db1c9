package model

import (
	"math/rand/v2"
	"testing"

	"github.com/closewait/closewait/tcp"
)

// pair is two connections and the link between them, which loses, repeats and
// reorders while it is unfair.
type pair struct {
	t      *testing.T
	r      *rand.Rand
	p      [2]*Profile
	c      [2]Conn
	link   [2][]tcp.Segment // on the way to 0 and to 1
	now    Time
	unfair bool

	written, read [2]uint32 // by the application at 0 and 1
	zero          [2]bool   // it read zero
	closed        [2]bool
	failed        bool
}

func newPair(t *testing.T, r *rand.Rand, a, b *Profile) *pair {
	t.Helper()
	x := &pair{t: t, r: r, p: [2]*Profile{a, b}, c: [2]Conn{NewConn(a), NewConn(b)}, now: Epoch}
	x.step(1, OpenPassive())
	x.step(0, OpenActive(-tcp.Seq(r.IntN(3000))))
	return x
}

func (x *pair) step(i int, e Event) Result {
	x.t.Helper()
	e.ISS = max(e.ISS, -tcp.Seq(x.r.IntN(3000)))
	c := follow(x.t, x.p[i], x.c[i], e, x.now)
	_, fx := Step(x.p[i], x.c[i], e, x.now)
	x.c[i] = c
	x.link[1-i] = append(x.link[1-i], fx.Segments()...)
	x.failed = x.failed || fx.Notes.Has(Failed)
	for _, s := range fx.Segments() {
		x.failed = x.failed || s.Has(tcp.RST)
	}
	return fx.Result
}

// carry brings one segment to its end, or not.
func (x *pair) carry(i int) {
	x.t.Helper()
	if len(x.link[i]) == 0 {
		return
	}
	k := 0
	if x.unfair {
		k = x.r.IntN(min(len(x.link[i]), 3))
	}
	s := x.link[i][k]
	if !x.unfair || x.r.IntN(8) != 0 { // else it stays, to come again
		x.link[i] = append(x.link[i][:k:k], x.link[i][k+1:]...)
	}
	if x.unfair && x.r.IntN(6) == 0 {
		return
	}
	x.now += Millisecond
	x.step(i, Arrive(s))
}

// act lets an application do something.
func (x *pair) act(i int) {
	x.t.Helper()
	if x.closed[i] || !x.c[i].Synchronized() {
		return
	}
	switch x.r.IntN(12) {
	case 0, 1, 2:
		if n := x.step(i, Write(uint32(x.r.IntN(4000)))); n.Err == OK {
			x.written[i] += n.N
		}
	case 3, 4, 5:
		x.drain(i, uint32(1+x.r.IntN(3000)))
	case 6:
		if !x.c[i].WriteClosed() { // a second one ends reading on BSD
			x.step(i, Shutdown(ShutWrite))
		}
	}
}

func (x *pair) drain(i int, n uint32) bool {
	x.t.Helper()
	res := x.step(i, Read(n))
	x.read[i] += res.N
	if res.EOF() && x.c[i].FinReceived() {
		x.zero[i] = true
		if x.read[i] != x.written[1-i] && !x.failed {
			x.t.Fatalf("a read returned zero after %d of %d octets", x.read[i], x.written[1-i])
		}
	}
	return res.N > 0
}

func (x *pair) tick(i int) {
	x.t.Helper()
	if at, on := x.c[i].NextDeadline(); on {
		x.now = max(x.now, at)
		x.step(i, Tick())
	}
}

// settle has both applications read to the end and close, over a fair link,
// until both connections are gone.
func (x *pair) settle() {
	x.t.Helper()
	x.unfair = false
	for range 3000 {
		for len(x.link[0])+len(x.link[1]) > 0 {
			x.carry(0)
			x.carry(1)
		}
		for i := range 2 {
			for x.drain(i, 1<<20) {
				continue
			}
			x.closeWhenDone(i)
		}
		if x.c[0].State() == tcp.Closed && (x.c[1].State() == tcp.Closed || x.c[1].State() == tcp.Listen) &&
			len(x.link[0])+len(x.link[1]) == 0 {
			return
		}
		x.earliest()
	}
	if x.failed {
		return // One gave up while the link was unfair; nothing need tell the other.
	}
	x.t.Fatalf("%s/%s: no end: %v and %v\n%+v\n%+v", x.p[0].Name, x.p[1].Name, x.c[0].State(), x.c[1].State(), x.c[0], x.c[1])
}

// closeWhenDone half-closes at first, and closes when the peer has too.
func (x *pair) closeWhenDone(i int) {
	x.t.Helper()
	c := x.c[i]
	switch {
	case x.closed[i]:
	case c.State() == tcp.Closed || c.EOFRead() || c.State() == tcp.Listen:
		x.step(i, Close())
		x.closed[i] = true
	case !c.WriteClosed() && c.Synchronized():
		x.step(i, Shutdown(ShutWrite))
	}
}

func (x *pair) earliest() {
	x.t.Helper()
	a, onA := x.c[0].NextDeadline()
	b, onB := x.c[1].NextDeadline()
	if onA && (!onB || a <= b) {
		x.tick(0)
	} else {
		x.tick(1)
	}
}

// "A TCP implementation will reliably deliver all buffers SENT before the
// connection was CLOSED" (RFC 9293 §3.6), whatever the link does, as long as it
// does it for a while only; and both ends reach CLOSED.
func TestPairsDeliverAllAndEnd(t *testing.T) {
	profiles := Profiles()
	whole := 0
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 2))
		x := newPair(t, r, &profiles[r.IntN(len(profiles))], &profiles[r.IntN(len(profiles))])
		x.unfair = seed%3 != 0
		for range r.IntN(120) {
			switch r.IntN(8) {
			case 0:
				x.tick(r.IntN(2))
			case 1, 2:
				x.act(r.IntN(2))
			default:
				x.carry(r.IntN(2))
			}
		}
		x.settle()
		if !x.failed && x.zero[0] && x.zero[1] {
			whole++
			if x.read[0] != x.written[1] || x.read[1] != x.written[0] {
				t.Fatalf("seed %d: written %v, read %v", seed, x.written, x.read)
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if whole < 700 {
		t.Errorf("only %d pairs came to an orderly end", whole)
	}
}
