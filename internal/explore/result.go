package explore

// Result is what a search found.
type Result struct {
	Options Options
	// States is how many states were found, Transitions how many things were
	// tried in them, Depth how long the longest of the shortest ways to a state is.
	States, Transitions, Depth int
	// Conns and Segments count different ones.
	Conns, Segments int
	// Complete: all that is possible within the bounds was tried. Else the
	// bound on states ended the search.
	Complete bool
	// Cut is how many things were not tried because too much would have been in
	// flight.
	Cut int
	// Checked is how many invariants were checked: those that need the whole
	// graph are not if it is not complete, or applications can not close.
	Checked    int
	Violations []Violation
	Answers    []Answer
}

// Violation is a broken invariant, and the shortest story that breaks it.
type Violation struct {
	Invariant Invariant
	Path      *Path
}

// Answer is what was found for a Question.
type Answer struct {
	Question Question
	// NothingLost, NoResetLost and ResetLost are the shortest stories in which
	// the link loses nothing at all, something but no RST, and a RST; nil if
	// there are none.
	NothingLost, NoResetLost, ResetLost *Path
}

// Shortest is the story that needs the least bad luck, nil if there is none.
func (a *Answer) Shortest() *Path {
	for _, p := range []*Path{a.NothingLost, a.NoResetLost, a.ResetLost} {
		if p != nil {
			return p
		}
	}
	return nil
}

// Answer returns the answer to the question of a name.
func (r *Result) Answer(name string) (*Answer, bool) {
	for i := range r.Answers {
		if r.Answers[i].Question.Name == name {
			return &r.Answers[i], true
		}
	}
	return nil, false
}

func (s *search) result(complete bool) (*Result, error) {
	r := &Result{
		Options: s.options, States: s.table.n, Transitions: s.transitions, Depth: s.depth,
		Conns: len(s.ends[0].conns), Segments: len(s.segs.all) - 1, Complete: complete, Cut: s.cut,
	}
	if s.ends[1] != s.ends[0] {
		r.Conns += len(s.ends[1].conns)
	}
	s.askGraph(r)
	for i, inv := range s.judge.invariants {
		if !s.broken[i].seen {
			continue
		}
		p, err := s.path(s.broken[i], atOnce)
		if err != nil {
			return nil, err
		}
		r.Violations = append(r.Violations, Violation{inv, p})
	}
	for i, q := range s.judge.questions {
		a := Answer{Question: q}
		until := atRest
		if q.stuck != nil {
			until = forGood
		}
		for class, to := range [lossClasses]**Path{&a.NothingLost, &a.NoResetLost, &a.ResetLost} {
			seen := s.answers[i][class]
			if !seen.seen {
				continue
			}
			p, err := s.path(seen, until)
			if err != nil {
				return nil, err
			}
			if q.remote {
				p.Local = 1 - p.Local
			}
			*to = p
		}
		r.Answers = append(r.Answers, a)
	}
	return r, nil
}

// askGraph puts the questions and invariants that need the whole graph.
func (s *search) askGraph(r *Result) {
	for i, inv := range s.judge.invariants {
		if inv.graph == nil {
			r.Checked++
			continue
		}
		if !r.Complete || s.bounds.Calls&CallClose == 0 {
			continue
		}
		r.Checked++
		if at, ok := inv.graph(s, &s.graph); !ok {
			s.broken[i] = sighting{seen: true, node: at}
		}
	}
	if !r.Complete {
		return
	}
	for i, q := range s.judge.questions {
		if q.stuck == nil {
			continue
		}
		s.stuck(&s.graph, q.stuck, func(state, side int) {
			var w world
			s.table.at(state).key.world(&w)
			if seen := &s.answers[i][w.lossClass()]; !seen.seen {
				*seen = sighting{seen: true, node: state, side: side}
			}
		})
	}
}
