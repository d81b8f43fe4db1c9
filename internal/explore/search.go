package explore

import (
	"context"
	"fmt"
)

// search is one exploration under way.
type search struct {
	options   Options
	bounds    *Bounds
	ends      [2]*endpoint
	segs      *segments
	judge     *judge
	table     *table
	graph     graph
	symmetric bool
	rootTurns bool // the first state is stored with the sides exchanged
	batch     []successor
	warmth    uint64 // keeps warm's reads from being optimised away

	transitions, cut int
	depth            int
	answers          [][lossClasses]sighting
	broken           []sighting
}

// sighting is where something was seen: in a state, or in what an action does
// to it.
type sighting struct {
	seen   bool
	node   int
	by     action
	acting bool // by counts
	side   int  // from whose side
}

// Explore tries everything within the bounds. An error is a profile that can
// not be explored, or a search that was called off.
func Explore(ctx context.Context, o Options) (*Result, error) {
	s, err := newSearch(o)
	if err != nil {
		return nil, err
	}
	complete, err := s.run(ctx)
	if err != nil {
		return nil, err
	}
	return s.result(complete)
}

func newSearch(o Options) (*search, error) {
	if err := o.settle(); err != nil {
		return nil, err
	}
	s := &search{options: o, segs: newSegments(), judge: newJudge(), table: newTable()}
	s.bounds = &s.options.Bounds
	s.answers = make([][lossClasses]sighting, len(s.judge.questions))
	s.broken = make([]sighting, len(s.judge.invariants))
	s.ends[0] = newEndpoint(&s.options, 0, s.segs, s.judge)
	s.ends[1] = s.ends[0]
	if o.Profiles[0] != o.Profiles[1] {
		s.ends[1] = newEndpoint(&s.options, 1, s.segs, s.judge)
	}
	// The sides may be exchanged where both follow the same rules: what can
	// happen to a state's mirror image is the mirror image of what can happen to
	// the state.
	s.symmetric = s.ends[0] == s.ends[1] && !o.NoSymmetry
	return s, s.begin()
}

// begin puts the first state into the table.
func (s *search) begin() error {
	conns, flight, err := start(&s.options)
	if err != nil {
		return err
	}
	var w world
	for side := range conns {
		w.conn[side] = s.ends[side].id(conns[side])
		for _, seg := range flight[side] {
			id, err := s.segs.id(seg)
			if err != nil {
				return err
			}
			w.flight[side].add(id)
		}
	}
	k, turned := s.stored(&w)
	s.rootTurns = turned
	s.table.add(&k, k.hash(), 0, 0)
	s.look(0, &w, turned)
	return nil
}

// stored returns the key under which a state is kept: of two mirror images the
// lesser, and whether that is the other one.
func (s *search) stored(w *world) (key, bool) {
	s.forget(w)
	k := w.key()
	if !s.symmetric {
		return k, false
	}
	if m := k.mirrored(); m.less(&k) {
		return m, true
	}
	return k, false
}

// forget drops what nothing can depend on any more: what an application read
// once it is gone, and what it wrote once it writes no more and nobody reads.
func (s *search) forget(w *world) {
	for side := range 2 {
		f := s.fact(w, side)
		if f.has(detached) {
			w.got[side] = 0
			w.memory &^= zero(side)
		}
		if f.is&(detached|finQueued) != 0 && s.fact(w, 1-side).has(detached) {
			w.wrote[side] = 0
		}
	}
}

// run searches breadth first. It reports whether it came to the end.
func (s *search) run(ctx context.Context) (complete bool, err error) {
	all := s.actions()
	s.batch = make([]successor, 0, len(all))
	level := 1 // where the states of the next depth begin
	var w world
	for at := 0; at < s.table.n; at++ {
		if at == level {
			s.depth++
			level = s.table.n
		}
		if at%(1<<16) == 0 && ctx.Err() != nil {
			return false, fmt.Errorf("explore: called off after %d states: %w", s.table.n, ctx.Err())
		}
		if s.table.n > s.bounds.States {
			return false, s.failure()
		}
		s.table.at(at).key.world(&w)
		s.expand(at, &w, all)
	}
	return true, s.failure()
}

func (s *search) failure() error {
	for _, e := range s.ends {
		if e.err != nil {
			return e.err
		}
	}
	return nil
}

// successor is what an action leads to.
type successor struct {
	world  world
	key    key
	hash   uint64
	slot   uint64 // for warm
	by     action
	turned bool // the key is that of the mirror image
	cut    bool // not possible within the bounds; nothing else is set
	did    *outcome
}

// expand finds what can happen in a state, and notes what comes of it.
func (s *search) expand(at int, w *world, all []action) {
	batch := s.batch[:0]
	for _, a := range all {
		batch = batch[:len(batch)+1]
		next := &batch[len(batch)-1]
		cut := s.cut
		var possible bool
		next.did, possible = s.apply(w, a, &next.world)
		next.by, next.cut = a, s.cut > cut
		switch {
		case possible:
			next.key, next.turned = s.stored(&next.world)
			next.hash = next.key.hash()
		case !next.cut:
			batch = batch[:len(batch)-1]
		}
	}
	s.warmth += s.table.warm(batch)
	s.graph.open()
	for i := range batch {
		s.take(at, w, &batch[i])
	}
}

// take puts a successor into the table and the graph, and judges it.
func (s *search) take(at int, w *world, next *successor) {
	a := next.by
	if next.cut {
		if fair(a, w, w) {
			s.graph.add(unknown | mark(a))
		}
		return
	}
	s.transitions++
	to, isNew := s.table.add(&next.key, next.hash, uint32(at), a)
	if fair(a, w, &next.world) {
		e := uint32(to) | mark(a)
		if next.turned {
			e |= mirrored
		}
		s.graph.add(e)
	}
	if o := next.did; o != nil && o.broken|o.hits != 0 {
		hits := o.hits &^ s.denied(o.hits, &next.world, a.side())
		s.note(o.broken, hits, sighting{true, at, a, true, a.side()}, next.world.lossClass())
	}
	if isNew {
		s.look(to, &next.world, next.turned)
	}
}

// fair reports whether an action belongs in the graph: a fault of the link does
// not, and no call but close.
func fair(a action, w, next *world) bool {
	switch a.kind() {
	case Deliver:
		return a.n() == 0
	case Fire:
		return true
	case Pass:
		return w.late == next.late
	case Call:
		return a.n() == closeCall
	}
	return false
}

func mark(a action) uint32 {
	if a.kind() == Call {
		return byClose
	}
	return 0
}

// denied returns those of a step's answers that the state it leads to does not
// bear out.
func (s *search) denied(hits uint32, w *world, side int) (wrong uint32) {
	for i := range s.judge.questions {
		asks := s.judge.questions[i].whole
		if hits&(1<<i) != 0 && asks != nil && !asks(s.whole(w), side) {
			wrong |= 1 << i
		}
	}
	return wrong
}

func (s *search) whole(w *world) *whole {
	return &whole{f: [2]*fact{s.fact(w, 0), s.fact(w, 1)}, wrote: w.wrote, got: w.got, memory: w.memory}
}

// note keeps the first sighting of each thing, which is the shortest story.
func (s *search) note(broken, hits uint32, at sighting, class int) {
	for i := range s.broken {
		if broken&(1<<i) != 0 && !s.broken[i].seen {
			s.broken[i] = at
		}
	}
	for i := range s.answers {
		if hits&(1<<i) != 0 && !s.answers[i][class].seen {
			s.answers[i][class] = at
		}
	}
}

// look judges a new state.
func (s *search) look(at int, w *world, turned bool) {
	broken, hits := s.judge.whole(s.whole(w))
	for side, h := range hits {
		if broken|h != 0 {
			if turned {
				side = 1 - side
			}
			s.note(broken, h, sighting{seen: true, node: at, side: side}, w.lossClass())
		}
	}
}

// state returns what is known of one side of a stored state.
func (s *search) state(i, side int) *fact {
	return &s.ends[side].facts[uint32(s.table.at(i).key[0]>>(32*side))]
}

// The classes of stories, by what the link lost.
const (
	lostNothing = iota
	lostNoReset
	lostReset
	lossClasses
)

func (w *world) lossClass() int {
	switch {
	case w.memory&rstLost != 0:
		return lostReset
	case w.lost > 0:
		return lostNoReset
	}
	return lostNothing
}
