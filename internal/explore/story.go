package explore

import (
	"time"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/scenario"
	"github.com/closewait/closewait/tcp"
)

// pace is the time between things that happen at the same instant in a search,
// where a story needs one after the other: well below any retransmission, well
// above the way of a segment.
const pace = 10 * time.Millisecond

// patience is how long a story waits for what will happen by itself: more than
// any timer of a real profile.
const patience = 24 * time.Hour

// Story tells a path in the language of package scenario, with the profile's
// real times in mind. It reports false where the language has no words for it:
// what the link holds back while timers run, and a handshake.
//
// What the story expects is what the search saw; that it comes true on an
// engine is for the caller to see.
func (r *Result) Story(title string, p *Path) (*scenario.Story, bool) {
	if r.Options.Handshake {
		return nil, false
	}
	w := writer{p: p, fates: p.fates(), story: &scenario.Story{
		Title: title, Hosts: Hosts(), Profiles: []string{r.Options.Profiles[p.Local].Name},
	}}
	w.add(&scenario.Meet{})
	for side := range 2 {
		w.settings(&r.Options, side)
	}
	for i := range p.Moves {
		if !w.move(i) {
			return nil, false
		}
	}
	w.endPhase(len(p.Moves))
	w.expect()
	return w.story, true
}

// writer writes a story.
type writer struct {
	p     *Path
	story *scenario.Story
	fates []fate
	// phase is the first move of the time that passes now, -1 if none does.
	phase int
	began bool // the phase
	waits int  // of one pace each, so far
}

func (w *writer) add(s scenario.Step) { w.story.Steps = append(w.story.Steps, s) }

// settings turns on what is on in the search and not by default.
func (w *writer) settings(o *Options, side int) {
	host := w.p.host(side)
	if o.KeepAlive[side] {
		w.add(&scenario.Act{Host: host, Call: scenario.Call{Op: scenario.Set, Option: scenario.KeepAlive, On: true}})
	}
	p := &o.Profiles[side]
	own, known := model.ProfileNamed(p.Name)
	if known && own.FinWait2.Lasts == 0 && p.FinWait2.Lasts > 0 {
		w.add(&scenario.Act{Host: host, Call: scenario.Call{Op: scenario.Tune, Knob: scenario.FinWait2, Span: time.Minute}})
	}
}

// move tells one move; false if there are no words for it.
func (w *writer) move(i int) bool {
	m := &w.p.Moves[i]
	switch m.Kind {
	case Pass:
		if !w.began {
			w.began, w.phase = true, i
			w.rules(i, w.nextCall(i))
		}
	case Call:
		w.endPhase(i)
		w.rules(i, w.nextPhase(i))
		w.add(w.call(m))
	case Deliver:
		f := w.fateOf(i)
		if f == nil || !f.held {
			break
		}
		if w.began || f.late {
			return false
		}
		if !f.waited {
			w.waits++
			w.add(&scenario.Wait{Most: pace})
		}
	}
	return true
}

func (w *writer) call(m *Move) *scenario.Act {
	a := &scenario.Act{Host: w.p.host(m.Side), Want: &scenario.Want{}}
	switch m.Call {
	case CallWrite:
		a.Call = scenario.Call{Op: scenario.Write, N: 1}
	case CallRead:
		a.Call = scenario.Call{Op: scenario.Read}
	case CallShutWrite:
		a.Call = scenario.Call{Op: scenario.Shutdown, How: scenario.Writing}
	case CallShutRead:
		a.Call = scenario.Call{Op: scenario.Shutdown, How: scenario.Reading}
	case CallShutBoth:
		a.Call = scenario.Call{Op: scenario.Shutdown, How: scenario.Both}
	case CallClose:
		a.Call = scenario.Call{Op: scenario.Close}
	case CallAbort:
		a.Call = scenario.Call{Op: scenario.Abort}
	case CallExit:
		a.Call = scenario.Call{Op: scenario.Exit}
	}
	a.Want.Of = a.Call.Op
	switch r := m.Result; {
	case r.Err != model.OK:
		a.Want.Err = r.Err.String()
	case a.Call.Op == scenario.Read || a.Call.Op == scenario.Write:
		a.Want.N = int(r.N)
	default:
		a.Want = nil
	}
	return a
}

// nextCall and nextPhase are where what a statement brings about ends: at the
// next statement.
func (w *writer) nextCall(from int) int  { return w.following(from, Call, Call) }
func (w *writer) nextPhase(from int) int { return w.following(from, Call, Pass) }

func (w *writer) following(from int, a, b Kind) int {
	for i := from + 1; i < len(w.p.Moves); i++ {
		if k := w.p.Moves[i].Kind; k == a || k == b {
			return i
		}
	}
	return len(w.p.Moves)
}

// endPhase tells what the time that has passed brings: a state, best of all.
func (w *writer) endPhase(end int) {
	if !w.began {
		return
	}
	w.began = false
	before := w.p.Moves[w.phase].Before
	wait := &scenario.Wait{}
	for i := w.phase; i < end; i++ {
		m := &w.p.Moves[i]
		if m.Kind == Pass {
			wait.Most += Unit.Duration()
		}
		if m.Kind != Pass && m.After[m.Side].State() != m.Before[m.Side].State() {
			want := w.look(m.Side, w.p.Moves[end-1].After[m.Side])
			wait.Until = &want
		}
	}
	if wait.Until != nil && before != w.p.Moves[end-1].After {
		wait.Most = patience
	}
	w.add(wait)
}

// look describes one end.
func (w *writer) look(side int, c model.Conn) scenario.HostWant {
	h := scenario.HostWant{Host: w.p.host(side), State: c.State(), RecvQ: -1, SendQ: -1, Held: 1}
	switch {
	case c.Detached() && c.State() == tcp.Closed:
		h.Gone, h.Held, h.State = true, 0, 0
	case c.Detached():
		h.Held = -1
	}
	return h
}

// expect ends the story.
func (w *writer) expect() {
	conns := w.p.Moves[len(w.p.Moves)-1].After
	e := &scenario.Expect{}
	for _, side := range [2]int{w.p.Local, 1 - w.p.Local} {
		e.Hosts = append(e.Hosts, w.look(side, conns[side]))
	}
	_, first := conns[0].NextDeadline()
	_, second := conns[1].NextDeadline()
	e.Hosts[0].Forever = !first && !second && conns[w.p.Local].State() == tcp.CloseWait
	w.add(e)
}
