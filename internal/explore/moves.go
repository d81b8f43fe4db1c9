package explore

import "github.com/closewait/closewait/tcp"

// apply lets an action happen to a world. It reports whether the action is
// possible, and what it did to the endpoint that it happened to: nil for what
// happens to the link or to time.
//
// A story that would have more in flight than the bounds allow is cut: that is
// counted, and the action is not possible.
func (s *search) apply(w *world, a action, next *world) (*outcome, bool) {
	side := a.side()
	switch a.kind() {
	case Deliver:
		return s.deliver(w, side, a.n(), next)
	case Fire:
		if !s.fact(w, side).has(due) {
			return nil, false
		}
		*next = *w
		return s.happen(next, side, s.ends[side].do(w.conn[side], tickEvent))
	case Call:
		return s.call(w, side, a.n(), next)
	case Pass:
		return nil, s.pass(w, next)
	case Lose:
		return nil, s.lose(w, side, next)
	case Duplicate:
		return nil, s.duplicate(w, side, next)
	}
	return nil, false
}

func (s *search) fact(w *world, side int) *fact { return &s.ends[side].facts[w.conn[side]] }

// may reports whether the link may commit one more fault of a kind.
func (s *search) may(w *world, committed, most uint8) bool {
	all := int(w.lost) + int(w.duplicated) + int(w.overtook) + int(w.late)
	return committed < most && (s.bounds.Faults == 0 || all < int(s.bounds.Faults))
}

// deliver brings a segment; nth is how many older ones it overtakes.
func (s *search) deliver(w *world, side, nth int, next *world) (*outcome, bool) {
	if nth >= w.flight[side].n || nth > 0 && !s.may(w, w.overtook, s.bounds.Overtakings) {
		return nil, false
	}
	*next = *w
	seg := next.flight[side].take(nth)
	if nth > 0 {
		next.overtook++
	}
	return s.happen(next, side, s.ends[side].arrive(w.conn[side], seg))
}

// call is an application's. What would change nothing is not tried: reading
// when there is nothing to read, say, is doing nothing.
func (s *search) call(w *world, side, call int, next *world) (*outcome, bool) {
	f := s.fact(w, side)
	switch {
	case s.bounds.Calls&(1<<call) == 0, !f.has(callable):
		return nil, false
	case call == writeCall && w.wrote[side] >= s.bounds.Octets:
		return nil, false
	case call == exitCall && f.unread == 0:
		return nil, false
	}
	o := s.ends[side].do(w.conn[side], call)
	if !o.different {
		return nil, false
	}
	*next = *w
	next.wrote[side] += o.took
	next.got[side] = min(next.got[side]+o.gave, mostOctets)
	if o.eof {
		next.memory |= zero(side)
	}
	return s.happen(next, side, o)
}

// happen moves a connection on, and puts what it sends into flight.
func (s *search) happen(next *world, side int, o *outcome) (*outcome, bool) {
	next.conn[side] = o.next
	q := &next.flight[1-side]
	if q.n+int(o.n) > int(s.bounds.InFlight) {
		s.cut++
		return nil, false
	}
	for _, seg := range o.sent[:o.n] {
		q.add(seg)
	}
	return o, true
}

// pass lets a Unit of time go by, for both. Time does not pass a deadline that
// is due, and where none is set it changes nothing.
func (s *search) pass(w *world, next *world) bool {
	f, g := s.fact(w, 0), s.fact(w, 1)
	if (f.is|g.is)&due != 0 || (f.is|g.is)&timed == 0 {
		return false
	}
	held := w.flight[0].n+w.flight[1].n > 0
	if held && !s.may(w, w.late, s.bounds.Late) {
		return false
	}
	*next = *w
	for side := range 2 {
		next.conn[side] = s.ends[side].do(w.conn[side], passEvent).next
	}
	if held {
		next.late++
	}
	return true
}

// lose drops the oldest segment in flight: that a younger one is lost can wait
// until it is the oldest.
func (s *search) lose(w *world, side int, next *world) bool {
	if w.flight[side].n == 0 || !s.may(w, w.lost, s.bounds.Losses) {
		return false
	}
	rst := s.segs.all[w.flight[side].segs[0]].Has(tcp.RST)
	if s.bounds.OnlyRSTs && !rst {
		return false
	}
	*next = *w
	next.flight[side].take(0)
	next.lost++
	if rst {
		next.memory |= rstLost
	}
	return true
}

func (s *search) duplicate(w *world, side int, next *world) bool {
	q := &w.flight[side]
	if q.n == 0 || q.n >= int(s.bounds.InFlight) || !s.may(w, w.duplicated, s.bounds.Duplicates) {
		return false
	}
	*next = *w
	next.flight[side].add(q.segs[0])
	next.duplicated++
	return true
}

// actions lists all that might happen, fair things first, so that of two
// stories of the same length the more peaceful one is found.
func (s *search) actions() []action {
	var all []action
	for side := range 2 {
		all = append(all, act(Deliver, side, 0))
	}
	for side := range 2 {
		all = append(all, act(Fire, side, 0))
	}
	for call := range calls {
		for side := range 2 {
			all = append(all, act(Call, side, call))
		}
	}
	all = append(all, act(Pass, 0, 0))
	for nth := 1; nth < int(s.bounds.InFlight); nth++ {
		all = append(all, act(Deliver, 0, nth), act(Deliver, 1, nth))
	}
	for side := range 2 {
		all = append(all, act(Lose, side, 0), act(Duplicate, side, 0))
	}
	return all
}
