package remedy

import (
	"slices"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
)

// Guard applies a policy, look after look. Use NewGuard.
type Guard struct {
	policy Policy
	prev   *observe.Snapshot
	rules  []ruleState
	first  map[uint64]time.Time // when a stuck socket was first seen, by cookie
	watch  watch
}

// ruleState is what a rule has done so far.
type ruleState struct {
	// acted is what was acted on, by cookie or pid: nothing is done twice by one
	// rule, unless the limit was raised and is tight again.
	sockets map[uint64]bool
	rooms   map[Holder]uint64
	times   []time.Time // of the acts in the last minute
}

// NewGuard returns a guard of that policy.
func NewGuard(p *Policy) *Guard {
	g := &Guard{policy: *p, first: map[uint64]time.Time{}, watch: newWatch(p.WarnWithin)}
	for range p.Rules {
		g.rules = append(g.rules, ruleState{sockets: map[uint64]bool{}, rooms: map[Holder]uint64{}})
	}
	return g
}

// Round is what is to be done after one look: a plan for each rule, in their order,
// and warnings of what no rule can help.
type Round struct {
	Plans    []RulePlan
	Warnings []Warning
}

// RulePlan is one rule's plan. Its parts hold only what the rule allows now.
type RulePlan struct {
	Rule *Rule
	Plan *Plan
	// Held is how many acts wait because of max-per-minute.
	Held int
}

// Round takes the next look.
func (g *Guard) Round(cur *observe.Snapshot) Round {
	prev := g.prev
	g.prev = cur
	g.watch.see(cur)
	var out Round
	taken := map[uint64]bool{} // by an earlier rule of this round
	for i := range g.policy.Rules {
		report := g.diagnose(i, prev, cur)
		out.Plans = append(out.Plans, g.rule(i, prev, cur, report, taken))
		out.Warnings = append(out.Warnings, g.watch.warnings(cur, report, &g.policy)...)
	}
	g.remember(cur)
	return out
}

// diagnose is the report of what one rule is about.
func (g *Guard) diagnose(i int, prev, cur *observe.Snapshot) *diagnose.Report {
	r := &g.policy.Rules[i]
	report := diagnose.Diagnose(prev, cur, diagnose.Options{Grace: g.policy.Grace, Sockets: true, Filter: r.Filter})
	o := Options{Programs: r.Programs}
	report.Findings = slices.DeleteFunc(report.Findings, func(f diagnose.Finding) bool { return !o.wants(&f) })
	return report
}

// rule makes the plan of one rule.
func (g *Guard) rule(i int, prev, cur *observe.Snapshot, report *diagnose.Report, taken map[uint64]bool) RulePlan {
	r, state := &g.policy.Rules[i], &g.rules[i]
	plan := Make(prev, cur, report, Options{
		Degree: r.Degree, Probes: r.Probes, OpenFiles: r.OpenFiles, Growth: g.watch.growth(),
	})
	out := RulePlan{Rule: r, Plan: plan}
	full := fullness(cur)
	state.forget(cur.TakenAt)
	for j := range plan.Parts {
		p := &plan.Parts[j]
		var acts []Act
		for _, a := range p.Acts {
			if !g.due(r, state, &a, full, cur.TakenAt) || a.Socket != nil && taken[a.Socket.Cookie] {
				continue
			}
			if len(state.times) >= r.MaxPerMinute {
				out.Held++
				continue
			}
			state.took(&a, cur.TakenAt)
			if a.Socket != nil {
				taken[a.Socket.Cookie] = true
			}
			acts = append(acts, a)
		}
		p.Acts = acts
	}
	return out
}

// due reports whether the rule acts on it now.
func (g *Guard) due(r *Rule, state *ruleState, a *Act, full map[int]float64, now time.Time) bool {
	if p := a.Process; p != nil {
		return p.fill() > r.OpenFilesAbove && state.rooms[Holder{PID: p.PID, StartTicks: p.StartTicks}] < p.To
	}
	s := a.Socket
	if state.sockets[s.Cookie] {
		return false
	}
	if g.age(s, now) < r.OlderThan {
		return false
	}
	if r.OpenFilesAbove == 0 {
		return true
	}
	for _, h := range s.Holders {
		if full[h.PID] > r.OpenFilesAbove {
			return true
		}
	}
	return false
}

// age is for how long at least the socket has been half-closed: by its own times,
// or because it was so in an earlier look.
func (g *Guard) age(s *Socket, now time.Time) time.Duration {
	age := time.Duration(s.Age.AtLeastS * float64(time.Second))
	if first, ok := g.first[s.Cookie]; ok {
		age = max(age, now.Sub(first))
	}
	return age
}

// remember notes when half-closed sockets were first seen, and forgets those that
// are no more.
func (g *Guard) remember(cur *observe.Snapshot) {
	there := make(map[uint64]time.Time, len(g.first))
	for i := range cur.Sockets {
		s := &cur.Sockets[i]
		if s.Cookie == 0 || !s.State.HalfClosed() {
			continue
		}
		first, ok := g.first[s.Cookie]
		if !ok {
			first = cur.TakenAt
		}
		there[s.Cookie] = first
	}
	g.first = there
	for i := range g.rules {
		for cookie := range g.rules[i].sockets {
			if _, ok := there[cookie]; !ok {
				delete(g.rules[i].sockets, cookie)
			}
		}
	}
}

func (s *ruleState) took(a *Act, now time.Time) {
	s.times = append(s.times, now)
	if p := a.Process; p != nil {
		s.rooms[Holder{PID: p.PID, StartTicks: p.StartTicks}] = p.To
		return
	}
	s.sockets[a.Socket.Cookie] = true
}

// forget drops the acts of more than a minute ago.
func (s *ruleState) forget(now time.Time) {
	n := 0
	for _, t := range s.times {
		if now.Sub(t) < time.Minute {
			s.times[n] = t
			n++
		}
	}
	s.times = s.times[:n]
}

// fullness is the part of its soft limit that each process has in use.
func fullness(s *observe.Snapshot) map[int]float64 {
	out := make(map[int]float64, len(s.Processes))
	for i := range s.Processes {
		if p := &s.Processes[i]; p.NoFileSoft > 0 {
			out[p.PID] = float64(p.OpenFiles) / float64(p.NoFileSoft)
		}
	}
	return out
}
