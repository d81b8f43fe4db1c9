package gate

import (
	"slices"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

func torn(snap *observe.Snapshot) bool {
	for _, l := range snap.Limits {
		if l.Code == observe.LimitTorn {
			return true
		}
	}
	return false
}

func holdersOf(s *observe.Socket, described map[int32]*observe.Process) []observe.Process {
	var out []observe.Process
	for i, h := range s.Holders {
		if p := described[h.PID]; p != nil && (i == 0 || s.Holders[i-1].PID != h.PID) {
			out = append(out, *p)
		}
	}
	return out
}

// ledger keeps what was seen of each connection, and decides which count. It is
// pure: time comes with the sightings.
type ledger struct {
	grace time.Duration
	last  time.Time
	// open is what is half-closed or dead now.
	open map[observe.Key]*account
	// counted is what counts, in the order in which it came to that.
	counted   []*account
	byKey     map[observe.Key]*account
	listeners map[observe.Key]observe.Socket
	// beyond counts those that came after mostCounted: they are in no finding.
	beyond struct{ stuck, died, inferred int }
	peak   int
	latest *observe.Snapshot
	sensor *observe.Sensor // as it was last told
	limits []observe.Limit
}

// account is one connection's.
type account struct {
	socket    observe.Socket // as last seen
	processes []observe.Process
	at        time.Time // when it was last seen
	// first is when it was first seen half-closed, moved when it was last in use;
	// time in which nobody looked is taken off.
	first, moved time.Time
	stuck        bool          // counts: unused for longer than the grace period
	died         bool          // counts: only the end of its process ended it
	exact        bool          // which was seen, and not inferred
	halfClosed   time.Duration // at least, where it counts
}

func newLedger(grace time.Duration) *ledger {
	return &ledger{grace: grace, open: map[observe.Key]*account{}, byKey: map[observe.Key]*account{}, listeners: map[observe.Key]observe.Socket{}}
}

// stopped is from when on a time without a look is not the program's to answer
// for: it, or the machine, was stopped.
const stopped = 2 * time.Second

// add takes in a sighting.
func (l *ledger) add(s Sighting) {
	for i := range s.Died {
		l.bury(&s.Died[i])
	}
	snap := s.Snapshot
	if snap == nil {
		return
	}
	if snap.Sensor != nil {
		l.sensor = snap.Sensor
	}
	if gap := snap.TakenAt.Sub(l.last); !l.last.IsZero() && gap > stopped {
		l.pass(gap)
	}
	l.last, l.latest = snap.TakenAt, snap
	l.note(snap.Limits)
	l.enter(snap)
	l.judge(snap)
}

func (l *ledger) pass(gap time.Duration) {
	for _, a := range l.open {
		a.first, a.moved = a.first.Add(gap), a.moved.Add(gap)
	}
}

// note keeps the limits of all looks, each once.
func (l *ledger) note(limits []observe.Limit) {
	const most = 20
	for _, x := range limits {
		known := len(l.limits) >= most
		for i := range l.limits {
			known = known || l.limits[i].Text == x.Text || x.NetNS != 0 && l.limits[i].Code == x.Code && l.limits[i].NetNS == x.NetNS
		}
		if !known {
			l.limits = append(l.limits, x)
		}
	}
}

// unseen reports whether connections of the program may have been out of sight.
func (l *ledger) unseen() bool {
	return slices.ContainsFunc(l.limits, func(x observe.Limit) bool {
		return x.Code == observe.LimitNetNS || x.Code == observe.LimitOwners || x.Code == observe.LimitSomeOwners
	})
}

// enter brings the open accounts up to date.
func (l *ledger) enter(snap *observe.Snapshot) {
	described := map[int32]*observe.Process{}
	for i := range snap.Processes {
		described[int32(snap.Processes[i].PID)] = &snap.Processes[i]
	}
	queues := map[uint16]bool{} // ports on which a process of the tree has connections waiting
	for i := range snap.Sockets {
		x := &snap.Sockets[i]
		if x.State != tcp.Listen || len(x.Holders) == 0 {
			continue
		}
		if x.RecvQ > 0 || l.listeners[x.Key()].Cookie == 0 {
			l.listeners[x.Key()] = *x
		}
		queues[x.Local.Port()] = queues[x.Local.Port()] || x.RecvQ > 0
	}
	now := 0
	for i := range snap.Sockets {
		x := &snap.Sockets[i]
		held := len(x.Holders) > 0 && (x.State.HalfClosed() || x.Dead())
		waits := x.Inode == 0 && x.State == tcp.CloseWait && queues[x.Local.Port()]
		if !held && !waits {
			continue
		}
		now++
		a := l.open[x.Key()]
		if a == nil {
			a = &account{first: snap.TakenAt, moved: snap.TakenAt}
			l.open[x.Key()] = a
		} else if used(&a.socket, x) {
			a.moved = snap.TakenAt
		}
		a.socket, a.processes, a.at = *x, holdersOf(x, described), snap.TakenAt
		if waits {
			a.processes = l.listening(x, described, snap)
		}
	}
	l.peak = max(l.peak, now)
	for k, a := range l.open {
		if !a.at.Equal(snap.TakenAt) && !torn(snap) {
			delete(l.open, k)
		}
	}
}

// listening describes the holders of the listener that a connection waits for.
func (l *ledger) listening(x *observe.Socket, described map[int32]*observe.Process, snap *observe.Snapshot) []observe.Process {
	for i := range snap.Sockets {
		if s := &snap.Sockets[i]; s.State == tcp.Listen && s.RecvQ > 0 && len(s.Holders) > 0 && s.Local.Port() == x.Local.Port() {
			return holdersOf(s, described)
		}
	}
	return nil
}

// used reports whether data moved on a connection between two looks.
func used(before, now *observe.Socket) bool {
	switch a, b := before.Info, now.Info; {
	case before.State != now.State || a == nil || b == nil:
		return false // a CLOSE_WAIT that died goes on being half-closed
	case b.BytesSent > a.BytesSent || b.BytesAcked > a.BytesAcked || b.BytesReceived > a.BytesReceived:
		return true
	}
	return now.RecvQ < before.RecvQ && before.RecvQ > 1 // more than the FIN was read
}

// judge counts what has been half-closed and unused for longer than the grace
// period, and is not excused.
func (l *ledger) judge(snap *observe.Snapshot) {
	var due []*account
	for _, a := range l.open {
		if !a.stuck && l.quiet(a) >= l.grace {
			due = append(due, a)
		}
	}
	if len(due) == 0 {
		return
	}
	excused := socketsWhere(snap, l.grace, func(f *diagnose.Finding) bool {
		return f.Cause == diagnose.HalfCloseInUse || f.Cause == diagnose.OrphanDraining
	})
	ripe := socketsWhere(snap, time.Nanosecond, func(f *diagnose.Finding) bool { return f.Stuck })
	for _, a := range due {
		if k := a.socket.Key(); !excused[k] && ripe[k] {
			a.stuck, a.halfClosed = true, l.quiet(a)
			l.count(a)
		}
	}
}

func (l *ledger) quiet(a *account) time.Duration {
	since := a.first
	if a.moved.After(since) {
		since = a.moved
	}
	return a.at.Sub(since)
}

// socketsWhere diagnoses a snapshot and returns the sockets of some findings.
func socketsWhere(snap *observe.Snapshot, grace time.Duration, is func(*diagnose.Finding) bool) map[observe.Key]bool {
	found := map[observe.Key]bool{}
	r := diagnose.Diagnose(nil, snap, diagnose.Options{Grace: grace, Sockets: true})
	for i := range r.Findings {
		f := &r.Findings[i]
		if !is(f) {
			continue
		}
		for j := range f.Sockets {
			found[f.Sockets[j].Key] = true
		}
	}
	return found
}

// bury counts a connection that only the end of its process ended.
func (l *ledger) bury(d *Death) {
	k := d.Socket.Key()
	a, open := l.byKey[k], l.open[k]
	delete(l.open, k)
	if a == nil && open != nil && open.stuck {
		return // counted already, beyond what is kept
	}
	if a == nil {
		a = &account{}
		a.socket, a.processes, a.at = d.Socket, d.Processes, d.At
		a.first = d.At.Add(-d.HalfClosed)
		a.halfClosed = d.HalfClosed
	}
	a.died, a.exact = true, a.exact || d.Exact
	l.count(a)
}

// mostCounted bounds what is kept of a run that goes on leaking: some 50 MB.
const mostCounted = 50_000

func (l *ledger) count(a *account) {
	k := a.socket.Key()
	switch {
	case l.byKey[k] != nil:
		return
	case len(l.counted) < mostCounted:
	case a.stuck:
		l.beyond.stuck++
		return
	default:
		l.beyond.died++
		if !a.exact {
			l.beyond.inferred++
		}
		return
	}
	l.byKey[k] = a
	l.counted = append(l.counted, a)
}

// pending reports whether something that is half-closed now may still come to
// count.
func (l *ledger) pending() bool {
	for _, a := range l.open {
		if !a.stuck {
			return true
		}
	}
	return false
}

// totals says how many count, and why: one that was stuck and then died is
// counted as stuck. Of those that died, some were not seen to but inferred.
func (l *ledger) totals() (stuck, died, inferred int) {
	stuck, died, inferred = l.beyond.stuck, l.beyond.died, l.beyond.inferred
	for _, a := range l.counted {
		switch {
		case a.stuck:
			stuck++
		case a.exact:
			died++
		default:
			died++
			inferred++
		}
	}
	return stuck, died, inferred
}

// openByPID counts what each process holds half-closed now.
func (l *ledger) openByPID() map[int]int {
	held := map[int]int{}
	for _, a := range l.open {
		for i := range a.processes {
			held[a.processes[i].PID]++
		}
	}
	return held
}
