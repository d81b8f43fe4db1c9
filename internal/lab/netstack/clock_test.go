package netstack

import (
	"testing"
	"time"
)

// run fires all that is due until then, and returns the clock there.
func run(c *clock, until time.Duration) {
	for {
		at, ok := c.next()
		if !ok || at > until {
			c.set(until)
			return
		}
		c.set(at)
		c.fire()
	}
}

func TestTimersFireInTheOrderOfTheirSetting(t *testing.T) {
	c := newClock()
	var got string
	note := func(s string) func() { return func() { got += s } }
	c.AfterFunc(2*time.Second, note("c"))
	c.AfterFunc(time.Second, note("a"))
	c.AfterFunc(time.Second, note("b"))
	stopped := c.AfterFunc(time.Second, note("x"))
	later := c.AfterFunc(time.Second, note("d"))
	later.Reset(3 * time.Second)
	c.AfterFunc(-time.Second, note("0"))
	if !stopped.Stop() || stopped.Stop() {
		t.Error("Stop does not say whether the timer was set")
	}
	run(c, 2*time.Second)
	if got != "0abc" {
		t.Errorf("fired %q, want 0abc", got)
	}
	if at, ok := c.next(); !ok || at != 3*time.Second {
		t.Errorf("the next is at %v, %v", at, ok)
	}
	run(c, time.Hour)
	if later.Stop() || got != "0abcd" {
		t.Errorf("fired %q, want 0abcd", got)
	}
	later.Reset(0)
	run(c, time.Hour)
	if got != "0abcdd" {
		t.Errorf("fired %q: a timer that has fired can be set again", got)
	}
}

func TestTimeStandsStill(t *testing.T) {
	c := newClock()
	day, since := c.Now(), c.NowMonotonic()
	c.set(90 * time.Second)
	if c.Now().Sub(day) != 90*time.Second || c.NowMonotonic().Sub(since) != 90*time.Second {
		t.Errorf("from %v to %v", day, c.Now())
	}
	fired := false
	c.AfterFunc(time.Second, func() { fired = true })
	c.fire()
	if fired {
		t.Error("a timer fired before it was due")
	}
}
