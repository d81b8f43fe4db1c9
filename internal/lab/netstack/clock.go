package netstack

import (
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// clock is a host's, and stands still between two calls of set. gVisor's own
// (faketime.ManualClock) does not tell when its next timer is due, and fires
// the timers of one instant in the order of a map. This one tells, and fires the
// one that was set first.
//
// The stack sets and stops timers from its goroutines; set and fire are the
// engine's.
type clock struct {
	mu     sync.Mutex
	now    time.Duration
	timers []*timer
	serial uint64
}

// start is what the clock shows when a story begins. Not 0: for gVisor that is
// "never", and what it limits to one in so much time would not happen at first.
const start = 24 * time.Hour

// timer is one that is set. It is in clock.timers while it is.
type timer struct {
	clock  *clock
	f      func()
	at     time.Duration
	serial uint64
}

func newClock() *clock { return &clock{now: start} }

// Now is the time of day; the day is the Unix epoch's second.
func (c *clock) Now() time.Time { return time.Unix(0, 0).UTC().Add(c.reading()) }

// NowMonotonic is the time since the clock was made, and start.
func (c *clock) NowMonotonic() tcpip.MonotonicTime {
	var zero tcpip.MonotonicTime
	return zero.Add(c.reading())
}

func (c *clock) reading() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc sets a timer. Where the interface has f in a goroutine of its own,
// here it is called by fire.
func (c *clock) AfterFunc(d time.Duration, f func()) tcpip.Timer {
	t := &timer{clock: c, f: f}
	t.Reset(d)
	return t
}

// set moves the clock to a time of the story, which is never back.
func (c *clock) set(now time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = start + now
}

// next is when the next timer is due in the story, and whether one is set.
func (c *clock) next() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.first()
	if t == nil {
		return 0, false
	}
	return t.at - start, true
}

func (c *clock) first() *timer {
	var first *timer
	for _, t := range c.timers {
		if first == nil || t.at < first.at || t.at == first.at && t.serial < first.serial {
			first = t
		}
	}
	return first
}

// fire calls the function of the next timer that is due, if one is.
func (c *clock) fire() {
	c.mu.Lock()
	t := c.first()
	if t == nil || t.at > c.now {
		c.mu.Unlock()
		return
	}
	t.unset()
	c.mu.Unlock()
	t.f()
}

// unset takes the timer off the clock, which is locked, and reports whether it
// was set.
func (t *timer) unset() bool {
	for i, other := range t.clock.timers {
		if other == t {
			t.clock.timers = append(t.clock.timers[:i], t.clock.timers[i+1:]...)
			return true
		}
	}
	return false
}

// Stop keeps the timer from firing, and reports whether it was set.
func (t *timer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	return t.unset()
}

// Reset sets the timer anew; one that is due at once fires in the next fire.
func (t *timer) Reset(d time.Duration) {
	c := t.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	t.unset()
	c.serial++
	t.at, t.serial = c.now+max(d, 0), c.serial
	c.timers = append(c.timers, t)
}
