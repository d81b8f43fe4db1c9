package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/closewait/closewait/internal/report"
	"github.com/closewait/closewait/scenario"
)

// ladderOf is what a played story looks like as a diagram.
func ladderOf(r *scenario.Result) *report.Ladder {
	l := &report.Ladder{Title: titleOf(r.Story), Description: describeRun(r), Hosts: r.Story.Hosts}
	for i := range r.Events {
		climb(l, &r.Events[i])
	}
	return l
}

func titleOf(s *scenario.Story) string {
	if s.Title != "" {
		return s.Title
	}
	return s.File
}

// describeRun tells in words how a story ended, for who can not see a picture.
func describeRun(r *scenario.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Sequence diagram between %s and %s, played on %s.", r.Story.Hosts[0], r.Story.Hosts[1], engineName(r))
	for i, host := range r.Story.Hosts {
		fmt.Fprintf(&b, " In the end %s is %s.", host, endOf(r.End[i]))
	}
	if n := len(r.Failures); n > 0 {
		fmt.Fprintf(&b, " %s did not come true.", plural(n, "expectation"))
	}
	return b.String()
}

// climb adds what happened, to the rung of the same moment where it belongs.
func climb(l *report.Ladder, e *scenario.Event) {
	switch e.Kind {
	case scenario.Called:
		r := step(l, e.At)
		r.Beside[e.Host] = []report.Remark{{Text: e.Call.String() + " → " + e.Return.String()}}
	case scenario.Sent:
		arrow := &report.Arrow{
			From: e.Host, Segment: e.Packet.Segment, Arrives: e.Packet.Arrived, Lost: e.Packet.Lost, Copies: e.Packet.Copies,
		}
		if r := caller(l, e); r != nil {
			r.Arrow = arrow
			return
		}
		step(l, e.At).Arrow = arrow
	case scenario.Changed:
		r := cause(l, e)
		r.Beside[e.Host] = append(r.Beside[e.Host], report.Remark{State: e.To})
	case scenario.Ruled, scenario.Waited:
		step(l, e.At).Note = e.Text
	case scenario.Checked:
		if e.Failed {
			r := step(l, e.At)
			r.Note, r.Bad = fmt.Sprintf("✗ line %d: %s", e.Line, e.Text), true
		}
	}
}

func step(l *report.Ladder, at time.Duration) *report.Rung {
	l.Rungs = append(l.Rungs, report.Rung{At: at})
	return &l.Rungs[len(l.Rungs)-1]
}

// caller is the rung of the call that sent a segment, if it is the last one and
// has no arrow yet.
func caller(l *report.Ladder, e *scenario.Event) *report.Rung {
	if len(l.Rungs) == 0 {
		return nil
	}
	r := &l.Rungs[len(l.Rungs)-1]
	if r.At != e.At || r.Arrow != nil || r.Note != "" || len(r.Beside[e.Host]) == 0 {
		return nil
	}
	return r
}

// cause is the rung of what changed a host's state: its own call or a segment
// that arrived, else a segment that it sent. Without one it was time.
func cause(l *report.Ladder, e *scenario.Event) *report.Rung {
	const near = 6
	var sent *report.Rung
	for i := len(l.Rungs) - 1; i >= max(0, len(l.Rungs)-near); i-- {
		r := &l.Rungs[i]
		a := r.Arrow
		switch {
		case r.At == e.At && len(r.Beside[e.Host]) > 0,
			a != nil && a.From != e.Host && !a.Lost && a.Arrives == e.At:
			return r
		case r.At == e.At && a != nil && a.From == e.Host && sent == nil:
			sent = r
		}
	}
	if sent != nil {
		return sent
	}
	return step(l, e.At)
}

// engineName is who played the story.
func engineName(r *scenario.Result) string {
	if len(r.Names) == 0 {
		return "an unknown engine"
	}
	return r.Names[0]
}

// endOf says how a host looks in the end.
func endOf(o scenario.Observation) string {
	s := o.State.String()
	switch {
	case o.State.String() == "CLOSED" && !o.Held:
		return "without a connection"
	case o.State.String() == "CLOSED":
		return "CLOSED, and its application still holds the descriptor"
	case !o.Held && !o.Listening:
		s += ", and no application holds it"
	}
	if o.Timer == scenario.TimerNone {
		return s + ", with no timer running"
	}
	return s + ", with the " + o.Timer.String() + " timer running"
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprint(n, " ", noun, "s")
}
