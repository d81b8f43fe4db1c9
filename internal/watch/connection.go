package watch

import (
	"strconv"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// connection is what the journal keeps of one half-closed connection, or of one
// dead descriptor.
type connection struct {
	key    observe.Key
	socket observe.Socket // as it was last seen
	taken  time.Time      // when that was
	owner  *Owner
	// holders are the processes that had it when it was last seen.
	holders []process
	cause   diagnose.Cause
	finding string
	stuck   bool
	// wasHalf is set once it was seen half-closed: others are dead descriptors of
	// connections that a RST ended outright.
	wasHalf bool
	// finEarliest and finLatest bracket the first FIN; finEarliest is zero while
	// nothing bounds it.
	finEarliest, finLatest time.Time
	// zeroEarliest and zeroLatest do so for the read that took it.
	zeroEarliest, zeroLatest time.Time
	stuckAt                  time.Time
	// history is the sensor's, if it knows the connection; code are the stacks of it.
	history *observe.History
	code    code
	said    said
	// looks is how many looks have seen it, left how many since its application
	// closed it, missed how many in a row have not.
	looks, left, missed int
}

// code is who did what: the frames that tell most of it.
type code struct{ opened, read, zero []observe.Frame }

// codeOf looks a history's stacks up in its snapshot.
func codeOf(s *observe.Snapshot, h *observe.History) code {
	of := func(n int) (telling []observe.Frame) {
		if s.Sensor == nil || n < 1 || n > len(s.Sensor.Stacks) {
			return nil
		}
		for _, f := range s.Sensor.Stacks[n-1].Frames {
			if f.Tells {
				telling = append(telling, f)
			}
		}
		return telling
	}
	return code{of(h.OpenedBy), of(h.ReadBy), of(h.ZeroBy)}
}

// said is which events have been told.
type said struct{ fin, zero, masked, ended bool }

// process names one for good.
type process struct {
	pid        int
	startTicks uint64
}

// orphan: the application has closed it, or it waits to be accepted.
func orphan(s *observe.Socket) bool { return s.Inode == 0 && len(s.Holders) == 0 }

// narrow takes over what a diagnosis says of the age at a look, which took a while.
func (c *connection) narrow(a diagnose.Age, taken time.Time, took time.Duration) {
	latest := taken.Add(took - seconds(a.AtLeastS))
	if c.finLatest.IsZero() || latest.Before(c.finLatest) {
		c.finLatest = latest
	}
	if a.AtMostS != nil {
		if earliest := taken.Add(-seconds(*a.AtMostS)); earliest.After(c.finEarliest) {
			c.finEarliest = earliest
		}
	}
	if c.finEarliest.After(c.finLatest) { // two clocks, rounded
		c.finEarliest = c.finLatest
	}
}

// notBefore says that something, else unbounded, came after the look before.
func notBefore(earliest, look time.Time) time.Time {
	if earliest.Before(look) {
		return look
	}
	return earliest
}

// halfClosedFor is how long it was half-closed at a moment.
func (c *connection) halfClosedFor(at time.Time) *diagnose.Age {
	if h := c.history; h != nil && !h.HalfClosed.IsZero() {
		exact := micro(at.Sub(h.HalfClosed))
		return &diagnose.Age{AtLeastS: exact, AtMostS: &exact}
	}
	if c.finLatest.IsZero() {
		return nil
	}
	age := &diagnose.Age{AtLeastS: micro(at.Sub(c.finLatest))}
	if !c.finEarliest.IsZero() {
		most := micro(at.Sub(c.finEarliest))
		age.AtMostS = &most
	}
	return age
}

// event begins an event about c.
func (c *connection) event(kind Kind, at time.Time, source Origin) Event {
	flow := c.socket.Flow()
	e := Event{
		Kind: kind, At: at, Source: source, NetNS: c.key.NetNS, Inode: c.socket.Inode, Local: flow.Local.String(),
		State: c.socket.State, Owner: c.owner, Cause: c.cause, Finding: c.finding,
	}
	if flow.Remote.IsValid() {
		e.Remote = flow.Remote.String()
	}
	if c.key.Cookie != 0 {
		e.Cookie = strconv.FormatUint(c.key.Cookie, 16)
	}
	e.OpenedBy, e.ReadBy, e.ZeroBy = c.code.opened, c.code.read, c.code.zero
	return e
}

// between sets an event's time to a bracket.
func (e Event) between(earliest, latest time.Time) Event {
	e.At, e.WithinS = latest, 0
	if earliest.Before(latest) {
		e.WithinS = micro(latest.Sub(earliest))
	}
	return e
}

// micro is a length of time in seconds, as exact as the sensor's clock.
func micro(d time.Duration) float64 { return float64(max(0, d)/time.Microsecond) / 1e6 }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// tracked reports whether a socket is worth an entry: half-closed and somebody's
// (or in an accept queue), or a dead descriptor. Orphans are the kernel's, which
// ends them.
func tracked(s *observe.Socket) bool {
	switch {
	case s.Dead(), s.State == tcp.CloseWait:
		return true
	case s.State.HalfClosed():
		return !orphan(s)
	}
	return false
}
