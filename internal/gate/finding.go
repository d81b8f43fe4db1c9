package gate

import (
	"fmt"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
)

// fromRun is the source of what a run saw over its time (diagnose.Evidence).
const fromRun = "run"

// report diagnoses what counts, each connection as it was last seen.
func (l *ledger) report() *diagnose.Report {
	snap := l.remains()
	r := diagnose.Diagnose(nil, snap, diagnose.Options{Grace: time.Nanosecond, Sockets: true})
	r.GraceS = l.grace.Seconds()
	stuck := r.Findings[:0]
	for _, f := range r.Findings {
		if f.Stuck {
			f.Evidence = append(l.evidence(&f), f.Evidence...)
			f.GrowthPerHour, f.Exhaustion = nil, nil // of a host, not of one program's run
			stuck = append(stuck, f)
		}
	}
	r.Findings = stuck
	if more := l.beyond.stuck + l.beyond.died; more > 0 {
		r.Complete = false
		r.Limits = append(r.Limits, fmt.Sprintf("the findings are of the first %d connections that count; %d more were only counted", mostCounted, more))
	}
	return r
}

// remains is a snapshot of what counts, at the time when the last of it was
// seen.
func (l *ledger) remains() *observe.Snapshot {
	snap := &observe.Snapshot{Schema: observe.Schema, Limits: l.limits, Sensor: l.sensor}
	if l.latest != nil {
		snap.Host, snap.Reader, snap.WindowMS, snap.Namespaces = l.latest.Host, l.latest.Reader, l.latest.WindowMS, l.latest.Namespaces
		snap.TakenAt = l.latest.TakenAt
	}
	var last time.Time
	for _, a := range l.counted {
		if a.at.After(last) {
			last = a.at
		}
	}
	if !last.IsZero() {
		snap.TakenAt = last
	}
	described := map[int]int{}
	for _, a := range l.counted {
		snap.Sockets = append(snap.Sockets, aged(a.socket, last.Sub(a.at)))
		for _, p := range a.processes {
			// Of two processes that had one pid, the later has it.
			if at, ok := described[p.PID]; ok {
				snap.Processes[at] = p
				continue
			}
			described[p.PID] = len(snap.Processes)
			snap.Processes = append(snap.Processes, p)
		}
	}
	for k, s := range l.listeners {
		if l.byKey[k] == nil {
			snap.Sockets = append(snap.Sockets, s)
		}
	}
	return snap
}

// aged is a socket as it would have been some time later: since when it has been
// so stays the same.
func aged(s observe.Socket, by time.Duration) observe.Socket {
	if s.Info == nil {
		return s
	}
	info := *s.Info
	ms := observe.Millis(max(by.Milliseconds(), 0))
	info.LastDataSent += ms
	info.LastDataRecv += ms
	info.LastAckRecv = max(info.LastAckRecv+ms, 1) // 0 would be younger than any grace
	s.Info = &info
	return s
}

// evidence says how the connections of a finding came to count.
func (l *ledger) evidence(f *diagnose.Finding) []diagnose.Evidence {
	var stuck, died, both, diedLikely, bothLikely int
	least, most := time.Duration(1<<62), time.Duration(0)
	for i := range f.Sockets {
		a := l.byKey[f.Sockets[i].Key]
		if a == nil {
			continue
		}
		switch {
		case a.stuck && a.died:
			both++
			bothLikely += inferred(a)
		case a.stuck:
			stuck++
		default:
			died++
			diedLikely += inferred(a)
			least, most = min(least, a.halfClosed), max(most, a.halfClosed)
		}
	}
	var out []diagnose.Evidence
	add := func(n int, format string, args ...any) {
		if n > 0 {
			out = append(out, diagnose.Evidence{Source: fromRun, Fact: fmt.Sprintf("%d of %d ", n, f.Count) + fmt.Sprintf(format, args...)})
		}
	}
	add(died, "ended only because the process did, half-closed for %s or more by then%s", between(least, most), sure(died, diedLikely))
	add(both, "were unused for longer than %v, and ended only because the process did%s", l.grace, sure(both, bothLikely))
	add(stuck, "were unused for longer than %v", l.grace)
	return out
}

// inferred is 1 of a connection that nobody saw end.
func inferred(a *account) int {
	if a.exact {
		return 0
	}
	return 1
}

func between(least, most time.Duration) string {
	round := func(d time.Duration) string {
		if d < 10*time.Second {
			return d.Round(time.Millisecond).String()
		}
		return d.Round(time.Second).String()
	}
	if low, high := round(least), round(most); low != high {
		return low + " to " + high
	}
	return round(least)
}
