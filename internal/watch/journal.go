package watch

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// Options says what a Journal tells.
type Options struct {
	// Sensor: the sensor tells, too (Tell). What it can know is then taken from it,
	// and only what it missed from the looks.
	Sensor bool
	// Shortest leaves out connections that were half-closed for less; 0 leaves out
	// none. Looks alone do not see such that come and go between two.
	Shortest time.Duration
	// Narrowed: the reports are of a part of the host's sockets. Then nothing is
	// told of connections that no report had.
	Narrowed bool
}

// Look is one look at the host, diagnosed.
type Look struct {
	Snapshot *observe.Snapshot
	// Report is the diagnosis, with each finding's sockets.
	Report *diagnose.Report
	// Alive reports whether a process still runs; nil if nobody can tell.
	Alive func(pid int, startTicks uint64) bool
}

// Journal tells from successive looks, and from what the sensor saw between them,
// what happened to half-closed connections.
type Journal struct {
	mu      sync.Mutex
	options Options
	conns   map[observe.Key]*connection
	last    time.Time // when the last look was; zero before the first
}

// listener names a service's listening sockets.
type listener struct {
	netns uint64
	port  uint16
}

// NewJournal begins one.
func NewJournal(o Options) *Journal {
	return &Journal{options: o, conns: map[observe.Key]*connection{}}
}

// Look takes a look in and tells what happened since the one before. The first
// only tells that the watch began: what is there then has no news in it.
func (j *Journal) Look(l Look) []Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	first := j.last.IsZero()
	t := &taking{Journal: j, look: l, at: l.Snapshot.TakenAt, since: j.last, first: first, members: membersOf(l.Report)}
	t.index()
	t.present()
	t.absent()
	j.last = t.at
	if first {
		return []Event{t.began()}
	}
	slices.SortStableFunc(t.events, func(a, b Event) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Cookie, b.Cookie))
	})
	return t.events
}

// taking is one look being taken in.
type taking struct {
	*Journal
	look      Look
	at, since time.Time
	first     bool
	members   map[observe.Key]member
	processes map[int]*observe.Process
	listeners map[listener]bool
	seen      map[observe.Key]bool
	blind     map[uint64]bool // namespaces that this look did not see whole
	// unprobed are processes whose dead descriptors could not be told; allUnprobed, if
	// their list is not whole.
	unprobed    map[int32]bool
	allUnprobed bool
	events      []Event
}

// member is a socket's place in the report.
type member struct {
	finding *diagnose.Finding
	age     diagnose.Age
}

// membersOf finds the report's sockets by their names.
func membersOf(r *diagnose.Report) map[observe.Key]member {
	out := map[observe.Key]member{}
	for i := range r.Findings {
		f := &r.Findings[i]
		for _, s := range f.Sockets {
			out[s.Key] = member{f, s.Age}
		}
	}
	return out
}

func (t *taking) index() {
	s := t.look.Snapshot
	t.processes = make(map[int]*observe.Process, len(s.Processes))
	for i := range s.Processes {
		t.processes[s.Processes[i].PID] = &s.Processes[i]
	}
	t.listeners, t.seen, t.blind = map[listener]bool{}, map[observe.Key]bool{}, map[uint64]bool{}
	t.unprobed = map[int32]bool{}
	known := map[uint64]bool{}
	for _, n := range s.Namespaces {
		known[n.ID] = true
		if !n.Entered {
			t.blind[n.ID] = true
		}
	}
	for i := range s.Limits {
		switch l := &s.Limits[i]; l.Code {
		case observe.LimitTorn:
			for id := range known {
				t.blind[id] = t.blind[id] || l.NetNS == 0 || l.NetNS == id
			}
		case observe.LimitMasked:
			t.allUnprobed = t.allUnprobed || len(l.PIDs) == 0 || len(l.PIDs) >= mostPIDs
			for _, pid := range l.PIDs {
				t.unprobed[int32(pid)] = true
			}
		}
	}
	for i := range s.Sockets {
		x := &s.Sockets[i]
		if x.State == tcp.Listen {
			t.listeners[listener{x.NetNS, x.Local.Port()}] = true
		}
	}
}

// mostPIDs is how many processes a limit names at most.
const mostPIDs = 100

// took is for how long it was looked: a socket may have been read at its end.
func (t *taking) took() time.Duration {
	return time.Duration(max(0, t.look.Snapshot.TookMS) * float64(time.Millisecond))
}

func (t *taking) tell(e Event) { t.events = append(t.events, e) }

// present goes through the sockets that are there.
func (t *taking) present() {
	for i := range t.look.Snapshot.Sockets {
		s := &t.look.Snapshot.Sockets[i]
		k := s.Key()
		if k == (observe.Key{}) || !s.State.HalfClosed() && !s.Dead() {
			continue
		}
		m, wanted := t.members[k]
		c := t.conns[k]
		if c == nil && (!wanted || !tracked(s) && !m.finding.Stuck) {
			continue
		}
		t.seen[k] = true
		if c == nil {
			c = &connection{key: k}
			t.conns[k] = c
		}
		t.update(c, s, m, wanted)
	}
}

// update takes one socket in and tells what has changed about it.
func (t *taking) update(c *connection, s *observe.Socket, m member, wanted bool) {
	before, fresh := c.socket, c.looks == 0
	c.socket, c.taken, c.missed = *s, t.at, 0
	if !s.Remote.IsValid() { // a dead descriptor has lost it; the connection has not
		c.socket.Remote = before.Remote
	}
	c.looks++
	c.wasHalf = c.wasHalf || s.State.HalfClosed()
	if s.History != nil {
		c.history, c.code = s.History, codeOf(t.look.Snapshot, s.History)
	}
	if wanted {
		c.cause, c.finding = m.finding.Cause, m.finding.ID
		t.own(c, s, m.finding)
		if s.State.HalfClosed() {
			c.narrow(m.age, t.at, t.took())
		}
	}
	if fresh && t.first {
		c.said = said{fin: true, zero: s.RecvQ == 0, masked: s.Dead()}
		c.stuck = wanted && m.finding.Stuck
		return
	}
	t.news(c, &before, fresh, wanted && m.finding.Stuck)
}

// own notes who has the socket, if anybody does.
func (t *taking) own(c *connection, s *observe.Socket, f *diagnose.Finding) {
	if f.Owner == nil && len(s.Holders) == 0 {
		return
	}
	o := &Owner{FDs: s.Holders}
	if f.Owner != nil {
		o.PID, o.Name = f.Owner.PID, firstOf(f.Owner.Title, f.Owner.Comm)
	}
	c.holders = c.holders[:0]
	for i, h := range s.Holders {
		if i == 0 {
			o.PID = int(h.PID)
		}
		if p := t.processes[int(h.PID)]; p != nil {
			c.holders = append(c.holders, process{p.PID, p.StartTicks})
		}
	}
	c.owner = o
}

func firstOf(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// began sums up the first look.
func (t *taking) began() Event {
	half, dead, stuck := 0, 0, 0
	for _, c := range t.conns {
		if c.socket.State == tcp.Closed {
			dead++
		} else {
			half++
		}
		if c.stuck {
			stuck++
		}
	}
	source := FromLooks
	if t.options.Sensor {
		source = FromSensor
	}
	return Event{
		Kind: Began, At: t.at, Source: source, Limits: t.look.Report.Limits,
		Note: fmt.Sprintf("there are %s and %s already; %d of them stuck", plural(half, "half-closed connection"), plural(dead, "dead descriptor"), stuck),
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
