package explore

import (
	"fmt"
	"slices"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// Path is a story: what happens from the start on, one thing after another.
type Path struct {
	Moves []Move
	// Local is the side that the story is about: 0 or 1.
	Local int
	// Asked is how many of the moves lead to what was asked for. What follows
	// happens by itself.
	Asked int
	// Again: it goes on like that for ever.
	Again bool
}

// Move is one thing that happens.
type Move struct {
	Kind Kind
	// Side is whom it happens to: who calls, whose timer fires, who would receive
	// the segment. 0 for Pass.
	Side int
	// Call is what the application calls.
	Call Calls
	// Segment is what the link brings, loses or duplicates.
	Segment tcp.Segment
	// Overtakes is how many older segments it leaves behind.
	Overtakes int
	// At is the time since the start.
	At model.Time
	// Sent is what the move makes Side send.
	Sent []tcp.Segment
	// Result is what the call returned.
	Result model.Result
	// Before and After are both connections.
	Before, After [2]model.Conn
}

// ending is what a story still tells after what was asked for has happened.
type ending int

const (
	atOnce  ending = iota // nothing
	atRest                // until nothing is in flight and no timer is due
	forGood               // until nothing changes any more, or all comes again
)

// path tells how a sighting comes about, and then how it goes on by itself.
func (s *search) path(seen sighting, until ending) (*Path, error) {
	var chain []int
	for at := seen.node; at != 0; at = int(s.table.at(at).parent) {
		chain = append(chain, at)
	}
	slices.Reverse(chain)

	p := &Path{}
	t := teller{s: s, turned: s.rootTurns}
	s.table.at(0).key.world(&t.w)
	for _, at := range chain {
		if err := t.tell(p, s.table.at(at).by); err != nil {
			return nil, err
		}
	}
	p.Local = t.side(seen.side)
	if seen.acting {
		if err := t.tell(p, seen.by); err != nil {
			return nil, err
		}
	}
	p.Asked = len(p.Moves)
	return p, t.finish(p, until)
}

// finish goes on with what happens by itself.
func (t *teller) finish(p *Path, until ending) error {
	met := map[key]bool{}
	for until != atOnce {
		k, _ := t.s.stored(&t.w)
		if p.Again = met[k]; p.Again {
			return nil
		}
		met[k] = true
		a, ok := t.next(until)
		if !ok {
			return nil
		}
		if err := t.tell(p, a); err != nil {
			return err
		}
	}
	return nil
}

// next is the first thing that happens by itself.
func (t *teller) next(until ending) (action, bool) {
	for _, a := range t.s.actions() {
		own := a.kind() == Deliver && a.n() == 0 || a.kind() == Fire || a.kind() == Pass && until == forGood
		var next world
		if !own {
			continue
		}
		if _, ok := t.s.apply(&t.w, a, &next); ok {
			return a, true
		}
	}
	return 0, false
}

// teller walks along a path. States are stored as one of two mirror images; the
// story keeps the sides that it began with.
type teller struct {
	s      *search
	w      world
	turned bool
	now    model.Time
}

func (t *teller) side(stored int) int {
	if t.turned {
		return 1 - stored
	}
	return stored
}

// conns are both connections, as the story has the sides.
func (t *teller) conns() (c [2]model.Conn) {
	for side := range c {
		c[t.side(side)] = t.s.ends[side].conns[t.w.conn[side]]
	}
	return c
}

// tell appends a stored action to the story, and moves on.
func (t *teller) tell(p *Path, a action) error {
	m := Move{Kind: a.kind(), At: t.now, Before: t.conns()}
	side := a.side()
	if m.Kind != Pass {
		m.Side = t.side(side)
	}
	event := model.Tick()
	switch m.Kind {
	case Call:
		m.Call = Calls(1) << a.n()
		event = callEvent(a.n())
	case Deliver, Lose, Duplicate:
		m.Overtakes = a.n()
		m.Segment = t.s.segs.all[t.w.flight[side].segs[a.n()]]
		event = model.ArriveAt(m.Segment, 0)
	case Pass:
		t.now += Unit
	}
	if m.Kind == Deliver || m.Kind == Fire || m.Kind == Call {
		end := t.s.ends[side]
		_, fx := end.step(end.profile, end.conns[t.w.conn[side]], event, model.Epoch)
		m.Sent, m.Result = slices.Clone(fx.Segments()), fx.Result
	}
	var next world
	if _, ok := t.s.apply(&t.w, a, &next); !ok {
		return fmt.Errorf("explore: a story can not be told again: action %#x", uint16(a))
	}
	k, turned := t.s.stored(&next)
	k.world(&t.w)
	if turned {
		t.turned = !t.turned
	}
	m.After = t.conns()
	p.Moves = append(p.Moves, m)
	return nil
}
