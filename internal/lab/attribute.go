package lab

import (
	"cmp"
	"slices"
	"time"

	"github.com/closewait/closewait/scenario"
)

// attribute gives calls and changes of state the times of the segments that
// belong to them. A call is noted before the application gets the order, and a
// change when it is seen; the segments' times are the kernel's. Changes that no
// segment and no call explains, and so a timer made, stay when they were seen.
func attribute(events []scenario.Event, looks []Look) {
	for i := range events {
		switch e := &events[i]; e.Kind {
		case scenario.Called:
			if at, ok := firstSent(events[i+1:], e.Host); ok {
				e.At = at
			}
		case scenario.Changed:
			e.At = causeOf(events[:i], e.Host, sinceLook(looks, e.Host, e.At), e.At)
		}
	}
	slices.SortStableFunc(events, func(a, b scenario.Event) int { return cmp.Compare(a.At, b.At) })
}

// firstSent is when a call at a host sent a segment: the first one after it, if
// that is the host's own and comes before anything else is done.
func firstSent(after []scenario.Event, host int) (time.Duration, bool) {
	for _, e := range after {
		switch e.Kind {
		case scenario.Sent:
			return e.At, e.Host == host
		case scenario.Changed:
		default:
			return 0, false
		}
	}
	return 0, false
}

// sinceLook is when the host was looked at last before a change was seen.
func sinceLook(looks []Look, host int, seen time.Duration) (since time.Duration) {
	since = seen
	for _, l := range looks {
		if l.At > seen {
			break
		}
		if l.Host == host {
			since = l.Since
		}
	}
	return since
}

// causeOf is when the last thing happened at a host between two looks at it: a
// segment came, or it made a call.
func causeOf(before []scenario.Event, host int, since, seen time.Duration) time.Duration {
	at, found := seen, time.Duration(-1)
	for _, e := range before {
		when := e.At
		switch {
		case e.Kind == scenario.Called && e.Host == host:
		case e.Kind == scenario.Sent && e.Host != host && !e.Packet.Lost:
			when = e.Packet.Arrived
		default:
			continue
		}
		if when >= since && when <= seen && when >= found {
			at, found = when, when
		}
	}
	return at
}
