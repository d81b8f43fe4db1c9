package watch

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// Whatever happens to sockets, and in whatever order a sensor tells of it, the
// events of one connection make sense: nothing is told twice, nothing after the end,
// no end without a beginning.
func TestEventsMakeSenseInAnyOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		sensor := rapid.Bool().Draw(r, "sensor")
		s := newScene(t, Options{Sensor: sensor, Shortest: rapid.SampledFrom([]time.Duration{0, time.Second}).Draw(r, "shortest")})
		if sensor {
			s.history = map[uint64]*observe.History{}
		}
		s.look()
		l := &life{r: r, s: s, cookie: 1, fin: s.now, courses: map[string]*course{}}
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			l.step(sensor)
		}
	})
}

// life is what happens to one socket, and then to the next.
type life struct {
	r       *rapid.T
	s       *scene
	cookie  uint64
	fin     time.Time
	dead    bool
	closed  bool // by its application
	courses map[string]*course
}

func (l *life) step(sensor bool) {
	switch step := rapid.IntRange(0, 6).Draw(l.r, "step"); {
	case step == 0: // it is gone
		l.check(l.s.look())
		l.cookie, l.fin, l.dead, l.closed = l.cookie+1, l.s.now, false, false
	case (step == 1 || l.dead && step > 2) && !l.closed:
		l.dead = true
		l.check(l.s.look(l.s.dead(l.cookie)))
	case step == 2:
		if sensor {
			l.tell()
		}
	default:
		state := rapid.SampledFrom([]tcp.State{tcp.CloseWait, tcp.CloseWait, tcp.FinWait2, tcp.LastAck, tcp.Closing}).Draw(l.r, "state")
		x := l.s.conn(l.cookie, state, rapid.Uint32Range(0, 3).Draw(l.r, "recv_q"), l.fin)
		if l.closed && state == tcp.CloseWait {
			x.State = tcp.LastAck
		}
		if l.closed || rapid.Bool().Draw(l.r, "orphan") {
			x.Inode, x.Holders = 0, nil
			l.closed = x.State != tcp.CloseWait
		}
		l.check(l.s.look([]observe.Socket{x}...))
	}
}

func (l *life) tell() {
	kind := rapid.SampledFrom([]observe.HappeningKind{observe.HappenedZero, observe.HappenedEnd, observe.HappenedRelease}).Draw(l.r, "kind")
	held := kind == observe.HappenedEnd && rapid.Bool().Draw(l.r, "held")
	h := observe.History{HalfClosed: l.fin, FINReceived: true, Zero: l.s.now, Ended: l.s.now, End: observe.EndReset}
	l.s.history[l.cookie] = &h
	l.check(l.s.journal.Tell(&observe.Happening{Kind: kind, At: l.s.now, NetNS: 1, Cookie: l.cookie, History: h, Held: held}))
	if kind != observe.HappenedZero && !held {
		l.check(l.s.look())
		l.cookie, l.fin, l.dead, l.closed = l.cookie+1, l.s.now, false, false
	}
}

// course is what was told of one connection.
type course struct{ fin, zero, masked, over bool }

func (l *life) check(events []Event) {
	for _, e := range events {
		c := l.courses[e.Cookie]
		if c == nil {
			c = &course{}
			l.courses[e.Cookie] = c
		}
		wrong := c.over && e.Kind != Stuck // of what nobody acknowledges, the kernel's too
		switch e.Kind {
		case FINReceived, FINSent:
			wrong = wrong || c.fin || c.masked
			c.fin = true
		case ZeroRead:
			wrong = wrong || c.zero || !c.fin
			c.zero = true
		case Masked:
			wrong = wrong || c.masked
			c.masked = true
		case Released:
			wrong = wrong || !c.masked
			c.over = true
		case Ended:
			wrong = wrong || c.masked
			c.over = true
		}
		if wrong {
			l.r.Fatalf("after %+v: %+v", *c, e)
		}
		if a := e.HalfClosed; e.WithinS < 0 || a != nil && (a.AtLeastS < 0 || a.AtMostS != nil && *a.AtMostS < a.AtLeastS-0.001) {
			l.r.Fatalf("times make no sense: %+v, half-closed %+v", e, a)
		}
	}
}
