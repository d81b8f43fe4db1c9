// Package diagnose turns what was seen on a host (package observe) into
// findings: which half-closed connections are stuck, who holds them, why, since
// when, how fast they grow, whether and when they end, what runs out first and
// what to do. docs/how-it-decides.md tells its rules in prose.
//
// It is pure: no clock, no input or output, no state. The same snapshots give
// the same report on any operating system, without privilege, from any
// goroutine.
package diagnose

import (
	"slices"
	"sort"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// DefaultGrace is how old a half-closed connection must be to count as stuck.
const DefaultGrace = 60 * time.Second

// Options says how to diagnose.
type Options struct {
	// Grace is how old a half-closed connection must be to count as stuck; zero
	// means DefaultGrace.
	Grace time.Duration
	// Sockets lists each finding's sockets.
	Sockets bool
	// Filter narrows the report; its zero value keeps everything.
	Filter Filter
}

// Diagnose explains cur. If prev, an earlier look at the same host, is given,
// growth and use between the two are measured instead of inferred.
func Diagnose(prev, cur *observe.Snapshot, o Options) *Report {
	if o.Grace <= 0 {
		o.Grace = DefaultGrace
	}
	v := newView(prev, cur, o.Grace)
	verdicts := judgeAll(v)
	excuseRelays(v, verdicts)
	groups := groupSockets(v, verdicts, o.Filter)
	findings := make([]Finding, 0, len(groups))
	for _, g := range groups {
		findings = append(findings, describe(v, g, o))
	}
	weigh(v, groups, findings)
	relate(v, groups, findings)
	sortFindings(findings)
	leadWithListener(findings)
	r := assemble(v, findings, verdicts)
	r.FullQueues = fullQueues(v, verdicts, o.Filter)
	return r
}

// assemble puts the findings under the report's head.
func assemble(v *view, findings []Finding, verdicts []verdict) *Report {
	r := &Report{
		Schema: Schema, Host: v.cur.Host, TakenAt: v.cur.TakenAt, TookMS: v.cur.TookMS, Reader: v.cur.Reader,
		IntervalS: v.interval.Seconds(), GraceS: v.grace.Seconds(),
		Complete: len(v.cur.Limits) == 0, Limits: []string{},
		Totals: totals(v, verdicts), Findings: findings,
	}
	for _, l := range v.cur.Limits {
		r.Limits = append(r.Limits, l.Text)
	}
	for i := range findings {
		if findings[i].Stuck {
			r.Totals.Stuck += findings[i].Count
		} else {
			r.Totals.NotStuck += findings[i].Count
		}
	}
	return r
}

// totals counts over the whole host, whatever the filter.
func totals(v *view, verdicts []verdict) Totals {
	t := Totals{Namespaces: len(v.cur.Namespaces)}
	for i := range v.cur.Namespaces {
		c := v.cur.Namespaces[i].TCP
		t.TCP += c.InUse + c.TimeWait
	}
	for i := range v.cur.Sockets {
		switch s := &v.cur.Sockets[i]; {
		case verdicts[i].cause == Masked:
			t.Masked++
		case s.State == tcp.CloseWait:
			t.CloseWait++
		case s.State == tcp.FinWait2:
			t.FinWait2++
		}
	}
	return t
}

// leadWithListener puts what nobody accepted before the other faces of the same
// hang, if these are no worse (causes.md, "One hang, two faces").
func leadWithListener(fs []Finding) {
	for i := range fs {
		if fs[i].Cause != NeverAccepted || !fs[i].Stuck {
			continue
		}
		first := slices.IndexFunc(fs[:i], func(f Finding) bool {
			return f.Stuck && f.Severity == fs[i].Severity && f.Cause != NeverAccepted && slices.Contains(fs[i].Related, f.ID)
		})
		if first >= 0 {
			lead := fs[i]
			copy(fs[first+1:i+1], fs[first:i])
			fs[first] = lead
		}
	}
}

// sortFindings puts the worst first; the order is the same for the same input.
func sortFindings(fs []Finding) {
	rank := map[Severity]int{Critical: 0, Warning: 1, Info: 2}
	sort.SliceStable(fs, func(i, j int) bool {
		a, b := &fs[i], &fs[j]
		switch {
		case a.Stuck != b.Stuck:
			return a.Stuck
		case rank[a.Severity] != rank[b.Severity]:
			return rank[a.Severity] < rank[b.Severity]
		case a.Count != b.Count:
			return a.Count > b.Count
		}
		return a.ID < b.ID
	})
}
