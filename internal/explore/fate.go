package explore

import (
	"time"

	"github.com/closewait/closewait/scenario"
	"github.com/closewait/closewait/tcp"
)

// fate is what becomes of one segment that a path sends.
type fate struct {
	seg        tcp.Segment
	from       int // the sending side
	sent       int // by which move
	end        int // the move that delivers or loses it, len(moves) for none
	lost       bool
	duplicated bool
	isCopy     bool
	// held: something else happens while it is in flight; late: time passes.
	held, late bool
	// waited: it arrives in the same pause as the one before.
	waited bool
	pauses int // of the story while it is held, its own included
}

// fates follows every segment through a path.
func (p *Path) fates() []fate {
	var all []fate
	var flight [2][]int // by receiver: indexes into all, oldest first
	take := func(side, n int) *fate {
		f := &all[flight[side][n]]
		flight[side] = append(flight[side][:n:n], flight[side][n+1:]...)
		return f
	}
	for i := range p.Moves {
		m := &p.Moves[i]
		switch m.Kind {
		case Deliver:
			f := take(m.Side, m.Overtakes)
			f.end = i
		case Lose:
			f := take(m.Side, 0)
			f.end, f.lost = i, true
		case Duplicate:
			f := &all[flight[m.Side][0]]
			f.duplicated = true
			flight[m.Side] = append(flight[m.Side], len(all))
			all = append(all, fate{seg: f.seg, from: f.from, sent: i, end: len(p.Moves), isCopy: true})
		}
		for _, seg := range m.Sent {
			flight[1-m.Side] = append(flight[1-m.Side], len(all))
			all = append(all, fate{seg: seg, from: m.Side, sent: i, end: len(p.Moves)})
		}
	}
	p.hold(all)
	return all
}

// hold marks the segments that are not delivered promptly: before the next
// call, before younger ones of the same direction, and before the story pauses
// for another that is held.
func (p *Path) hold(all []fate) {
	for more := true; more; {
		more = false
		paused := make([]bool, len(p.Moves)) // before a held segment arrives
		for n := range all {
			if f := &all[n]; f.held && f.end < len(p.Moves) {
				paused[f.end] = true
			}
		}
		for n := range all {
			if f := &all[n]; !f.held && !f.lost && !f.isCopy {
				f.held = p.holds(f, paused)
				more = more || f.held
			}
		}
	}
	p.pauses(all)
}

func (p *Path) holds(f *fate, paused []bool) bool {
	held := false
	for i := f.sent + 1; i < f.end; i++ {
		switch m := &p.Moves[i]; m.Kind {
		case Call:
			held = true
		case Pass:
			held, f.late = true, true
		case Deliver:
			held = held || paused[i] || m.Side == 1-f.from && m.Overtakes > 0
		}
	}
	return held
}

// pauses counts, for each held segment, in how many pauses of the story it is
// in flight. Segments that arrive with nothing between share one.
func (p *Path) pauses(all []fate) {
	n, open := 0, false
	pause := make([]int, len(p.Moves)+1) // how many pauses there are before a move
	for i := range p.Moves {
		pause[i] = n
		switch p.Moves[i].Kind {
		case Call, Pass:
			open = false
		case Deliver:
			for k := range all {
				if f := &all[k]; f.end == i && f.held {
					f.waited = open
					if !open {
						n++
					}
					open = false // the next must not overtake it
				}
			}
		}
	}
	pause[len(p.Moves)] = n
	for k := range all {
		if f := &all[k]; f.held && !f.late {
			f.pauses = pause[min(f.end+1, len(p.Moves))] - pause[f.sent]
		}
	}
}

// fateOf is the segment that a move delivers.
func (w *writer) fateOf(move int) *fate {
	for i := range w.fates {
		if f := &w.fates[i]; f.end == move && !f.lost {
			return f
		}
	}
	return nil
}

// rules tells what the link will do to the segments that the moves from i until
// end send.
func (w *writer) rules(i, end int) {
	for n := range w.fates {
		f := &w.fates[n]
		if f.sent < i || f.sent >= end || f.isCopy {
			continue
		}
		r := scenario.Rule{Class: classOf(f.seg), From: w.p.host(f.from)}
		switch {
		case f.lost:
			r.Fate = scenario.Lose
		case f.duplicated:
			r.Fate = scenario.Duplicate
		case f.held:
			r.Fate, r.By = scenario.Delay, time.Duration(f.pauses)*pace-2*time.Millisecond
		default:
			continue
		}
		r.First = w.nth(n, i, r.Class)
		r.Last = r.First
		w.add(&scenario.Link{Rule: r})
	}
}

// nth counts the segment among those of its class that the rules before it
// leave alone.
func (w *writer) nth(n, from int, c scenario.Class) int {
	count := 1
	for k := range n {
		f := &w.fates[k]
		alone := !f.lost && !f.duplicated && !f.held && !f.isCopy
		if alone && f.sent >= from && f.from == w.fates[n].from && c.Holds(f.seg) {
			count++
		}
	}
	return count
}

// classOf is the word for a segment.
func classOf(s tcp.Segment) scenario.Class {
	for _, c := range []scenario.Class{scenario.RST, scenario.SYN, scenario.SYNACK, scenario.FIN, scenario.Data} {
		if c.Holds(s) {
			return c
		}
	}
	return scenario.Pure
}
