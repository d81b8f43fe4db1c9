package lab

import (
	"fmt"
	"strings"
	"time"

	"github.com/closewait/closewait/scenario"
)

// beats recognises what goes on for ever: keepalive probes that are answered,
// probes of a window that stays shut. When the same segments have been exchanged
// again and again and nothing else has changed, the rest is skipped.
type beats struct {
	// heard is what has gone over the wire since the last beat.
	heard strings.Builder
	// looks is how many changes of appearance there were by then.
	looks int
	// host, cookie and deadline are of the timer that the next beat follows.
	host     int
	cookie   uint64
	deadline time.Duration
	// same is how many beats were alike, like is their exchange, and every how far
	// apart the last two were.
	same  int
	like  string
	every time.Duration
}

// alike is how many equal beats are enough.
const alike = 2

// hear notes what went over the wire.
func (b *beats) hear(packets []scenario.Packet) {
	for _, p := range packets {
		fmt.Fprintf(&b.heard, "%d %v %d %v;", p.From, p.Segment.Flags, p.Segment.Len, p.Lost)
	}
}

// skipBeats steps over whole beats on the way to goal, and reports whether it
// did.
func (e *Engine) skipBeats(goal time.Duration) bool {
	b := &e.beats
	host, t := e.onlyTimer()
	if host < 0 || t.kind != timerKeepalive && t.kind != timerProbe {
		b.same, b.deadline = 0, 0
		return false
	}
	if t.story != b.deadline || t.cookie != b.cookie || host != b.host {
		b.count(host, t, len(e.looks))
	}
	if b.same < alike || b.every <= 0 || b.heard.Len() > 0 {
		return false
	}
	n := (goal - t.story) / b.every
	if n < 1 {
		return false
	}
	e.note("skipped what only repeats itself: a probe and its answer, every " + scenario.Span(b.every.Round(time.Second)))
	e.clock.jump(time.Now(), e.Now()+n*b.every)
	e.timers[host].story += n * b.every
	b.deadline = e.timers[host].story
	return true
}

// count takes in that another timer runs than before.
func (b *beats) count(host int, t timer, looks int) {
	heard, known := b.heard.String(), b.deadline > 0 && b.host == host && b.cookie == t.cookie && b.looks == looks
	if known && heard == "" {
		return // the timer was only set anew: the beat is not over
	}
	switch {
	case !known, heard != b.like:
		b.same = 0
	default:
		b.same++
	}
	b.every, b.like = t.story-b.deadline, heard
	b.host, b.cookie, b.deadline, b.looks = host, t.cookie, t.story, looks
	b.heard.Reset()
}

// onlyTimer is the one timer that runs, if it is one and nothing else is due; the
// host is -1 otherwise.
func (e *Engine) onlyTimer() (host int, t timer) {
	host = -1
	if len(e.later) > 0 {
		return host, t
	}
	for i, other := range e.timers {
		if !other.running {
			continue
		}
		if host >= 0 {
			return -1, t
		}
		host, t = i, other
	}
	return host, t
}
