package lab

import (
	"testing"
	"time"
)

// shows checks the clock at a time of the world, in milliseconds.
func (c *clock) shows(t *testing.T, began time.Time, world, story int) {
	t.Helper()
	got := c.of(began.Add(time.Duration(world) * time.Millisecond)).Round(time.Millisecond)
	if want := time.Duration(story) * time.Millisecond; got != want {
		t.Errorf("after %d ms it shows %v, want %v", world, got, want)
	}
}

func TestClockHurriesToADeadline(t *testing.T) {
	began := time.Now()
	at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	c := newClock(began)
	// Nobody waits, so the clock is the world's, for a millisecond.
	c.shows(t, began, 1, 1)
	c.shows(t, began, 10, 1)
	// FIN_WAIT_2: 60 s in 2 s.
	due := []deadline{{at(2000), time.Minute}}
	c.steer(at(100), due, 0)
	c.shows(t, began, 101, 2)
	c.shows(t, began, 200, 2)
	// Somebody waits: 59.998 s in 1.8 s.
	c.steer(at(200), due, time.Hour)
	c.shows(t, began, 1100, 30001)
	if got := c.when(30001 * time.Millisecond); got.Sub(at(1100)).Abs() > time.Millisecond {
		t.Errorf("it will show 30.001 s after %v", got.Sub(began))
	}
	if !c.when(2 * time.Minute).IsZero() {
		t.Error("it will pass a deadline that has not been met")
	}
	// The timer is late, as the kernel's are, and the clock stands until it fires.
	c.shows(t, began, 2000, 60000)
	c.shows(t, began, 2064, 60000)
	c.fired(at(2064))
	c.shows(t, began, 2065, 60001)
	// What was is not changed by that.
	c.shows(t, began, 1100, 30001)

	c.jump(at(3000), time.Hour)
	c.shows(t, began, 3001, 3600001)
	c.jump(at(3002), time.Minute) // never back
	c.shows(t, began, 3003, 3600002)
}

func TestClockPassesNoDeadlineOfEither(t *testing.T) {
	began := time.Now()
	c := newClock(began)
	// The second comes first in the world: no pace can be right for both.
	due := []deadline{{began.Add(3 * time.Second), 3 * time.Second}, {began.Add(2 * time.Second), time.Minute}}
	c.steer(began, due, time.Hour)
	c.shows(t, began, 1000, 1500)
	c.shows(t, began, 2500, 3000)
}

// TestClockStopsAtTheGoal: who wants to wait 15 s does not wait longer, however
// late the machine wakes up.
func TestClockStopsAtTheGoal(t *testing.T) {
	began := time.Now()
	c := newClock(began)
	c.steer(began, []deadline{{began.Add(2 * time.Second), time.Minute}}, 15*time.Second)
	c.shows(t, began, 400, 12000)
	c.shows(t, began, 500, 15000)
	c.shows(t, began, 900, 15000)
}

// TestClockIsToldOfATimerThatNobodyWaitedFor: the machine was busy, and a
// segment of the timer's is seen.
func TestClockIsToldOfATimerThatNobodyWaitedFor(t *testing.T) {
	began := time.Now()
	c := newClock(began)
	c.steer(began, []deadline{{began.Add(200 * time.Millisecond), 200 * time.Millisecond}}, 0)
	c.fired(began.Add(100 * time.Millisecond)) // something else
	c.shows(t, began, 100, 1)
	c.fired(began.Add(201 * time.Millisecond))
	c.shows(t, began, 201, 200)
}

// TestClockNeverGoesBack, however it is steered.
func TestClockNeverGoesBack(t *testing.T) {
	began := time.Now()
	c := newClock(began)
	last := time.Duration(0)
	for i := range 2000 {
		now := began.Add(time.Duration(i) * 3 * time.Millisecond)
		switch i % 7 {
		case 0:
			c.steer(now, []deadline{{now.Add(20 * time.Millisecond), c.of(now) + time.Duration(i)*time.Millisecond}}, time.Duration(i%2)*time.Hour)
		case 3:
			c.jump(now, c.of(now)+time.Millisecond)
		case 5:
			c.fired(now)
		case 6:
			c.steer(now, nil, time.Hour)
		}
		if got := c.of(now); got < last {
			t.Fatalf("at turn %d it goes from %v back to %v", i, last, got)
		} else {
			last = got
		}
	}
	if len(c.spans) > maxSpans {
		t.Errorf("it remembers %d spans", len(c.spans))
	}
}
