package explore

import (
	"fmt"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// segID numbers a segment; 0 is none.
type segID uint16

// segments numbers the segments that were ever sent.
type segments struct {
	ids map[tcp.Segment]segID
	all []tcp.Segment // by segID
}

func newSegments() *segments {
	return &segments{ids: map[tcp.Segment]segID{}, all: make([]tcp.Segment, 1)}
}

func (s *segments) id(seg tcp.Segment) (segID, error) {
	if id, ok := s.ids[seg]; ok {
		return id, nil
	}
	if len(s.all) == 1<<16 {
		return 0, fmt.Errorf("explore: more than %d different segments: lower the bounds", len(s.all)-1)
	}
	id := segID(len(s.all))
	s.ids[seg] = id
	s.all = append(s.all, seg)
	return id, nil
}

// Events of an endpoint besides its calls, which are numbered from 0.
const (
	tickEvent = calls + iota
	passEvent
	plainEvents // how many events are not arrivals
)

// outcome is what one event does to one connection.
type outcome struct {
	next      uint32
	hits      uint32 // questions that it answers, a bit for each
	broken    uint32 // invariants that it breaks
	sent      [model.MaxSegments]segID
	n         uint8 // how many are sent
	took      uint8 // octets that a write took
	gave      uint8 // octets that a read returned
	eof       bool  // a read returned zero
	different bool  // anything at all happened
}

// endpoint is one stack's part of the search: every connection it was ever
// found to have, numbered, and what every event did to it. Step is pure, so
// that each question is put to it once.
type endpoint struct {
	profile *model.Profile
	step    func(*model.Profile, model.Conn, model.Event, model.Time) (model.Conn, model.Effects)
	judge   *judge
	segs    *segments
	ids     map[model.Conn]uint32
	conns   []model.Conn
	facts   []fact
	// plain[conn*plainEvents+event] and arrivals[conn<<16|segment] are numbers
	// of outcomes; 0 is not known yet.
	plain    []uint32
	arrivals index
	// graves are the connections that stand for all that are CLOSED and have no
	// application: those that ended in order, and the others.
	graves   [2]grave
	outcomes []outcome
	err      error
}

func newEndpoint(o *Options, side int, segs *segments, j *judge) *endpoint {
	return &endpoint{
		profile: &o.Profiles[side], step: o.Step, segs: segs, judge: j,
		ids: map[model.Conn]uint32{}, arrivals: newIndex(), outcomes: make([]outcome, 1),
	}
}

// id numbers a connection, which is at Epoch.
func (e *endpoint) id(c model.Conn) uint32 {
	if id, ok := e.ids[c]; ok {
		return id
	}
	id := uint32(len(e.conns))
	if g := e.grave(&c); g != nil {
		if g.taken {
			e.ids[c] = g.id
			return g.id
		}
		*g = grave{id, true}
	}
	e.ids[c] = id
	e.conns = append(e.conns, c)
	e.facts = append(e.facts, e.factOf(&c))
	e.plain = append(e.plain, make([]uint32, plainEvents)...)
	return id
}

// grave is a connection that stands for others.
type grave struct {
	id    uint32
	taken bool
}

// grave returns the one a connection belongs into, nil while it may still do
// anything of its own. A CLOSED connection without an application is no more
// than an address: it answers what arrives by §3.10.7.1, whatever it once was.
func (e *endpoint) grave(c *model.Conn) *grave {
	switch {
	case c.State() != tcp.Closed || !c.Detached():
		return nil
	case c.EndError() == model.OK && c.FinReceived() && c.FinAcked():
		return &e.graves[0]
	}
	return &e.graves[1]
}

// do returns what a call, tickEvent or passEvent does.
func (e *endpoint) do(conn uint32, event int) *outcome {
	slot := int(conn)*plainEvents + event
	if known := e.plain[slot]; known != 0 {
		return &e.outcomes[known]
	}
	var n uint32
	switch event {
	case tickEvent:
		n = e.work(conn, model.Tick())
	case passEvent:
		n = e.pass(conn)
	default:
		n = e.work(conn, callEvent(event))
	}
	e.plain[slot] = n
	return &e.outcomes[n]
}

// arrive returns what a segment does.
func (e *endpoint) arrive(conn uint32, seg segID) *outcome {
	k := uint64(conn)<<16 | uint64(seg)
	if known := e.arrivals.get(k); known != 0 {
		return &e.outcomes[known]
	}
	n := e.work(conn, model.ArriveAt(e.segs.all[seg], 0))
	e.arrivals.put(k, n)
	return &e.outcomes[n]
}

// work puts an event to the model and numbers the outcome.
func (e *endpoint) work(conn uint32, event model.Event) uint32 {
	before := e.conns[conn]
	after, fx := e.step(e.profile, before, event, model.Epoch)
	after = after.Essence(e.profile, model.Epoch).Relative(model.Epoch)
	o := outcome{next: e.id(after), n: uint8(fx.Len())}
	for i, seg := range fx.Segments() {
		id, err := e.segs.id(seg)
		if err != nil {
			e.fail(err)
		}
		o.sent[i] = id
	}
	if fx.Result.Err == model.OK {
		switch fx.Result.Call {
		case model.KindWrite:
			o.took = uint8(fx.Result.N)
		case model.KindRead:
			o.gave, o.eof = uint8(fx.Result.N), fx.Result.EOF()
		}
	}
	o.different = o.next != conn || o.n > 0 || o.took > 0 || o.gave > 0 || o.eof
	o.broken, o.hits = e.judge.step(&Step{e.profile, event, before, after, &fx})
	return e.number(o)
}

// pass lets one Unit of time go by, in which no timer is due.
func (e *endpoint) pass(conn uint32) uint32 {
	c := e.conns[conn]
	if at, on := c.NextDeadline(); on && at < model.Epoch+Unit {
		e.fail(fmt.Errorf("explore: a deadline of profile %q is %v away, not a whole number of %v: scale the profile", e.profile.Name, at-model.Epoch, Unit))
	}
	now := model.Epoch + Unit
	next := e.id(c.Essence(e.profile, now).Relative(now))
	return e.number(outcome{next: next, different: next != conn})
}

func (e *endpoint) number(o outcome) uint32 {
	e.outcomes = append(e.outcomes, o)
	return uint32(len(e.outcomes) - 1)
}

func (e *endpoint) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}
