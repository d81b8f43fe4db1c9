package netstack

import (
	"slices"
	"time"

	"github.com/closewait/closewait/scenario"
)

// link carries packets between the two hosts. Packets of one direction arrive in
// the order of their sending unless a rule delays them.
type link struct {
	latency time.Duration
	rules   []counter
	flight  []flight // the next to arrive first
}

// counter is a rule and how many segments it has matched.
type counter struct {
	scenario.Rule
	seen int
}

// flight is a packet under way.
type flight struct {
	at      time.Duration
	to      int
	packet  packet
	delayed bool
}

// send puts a packet on the link, and returns what there is to be seen of it.
func (l *link) send(now time.Duration, from int, p packet) scenario.Packet {
	seen := scenario.Packet{From: from, Segment: p.segment, Sent: now}
	f := flight{at: now + l.latency, to: 1 - from, packet: p}
	switch r := l.decide(from, p); r.Fate {
	case scenario.Lose:
		seen.Lost = true
		return seen
	case scenario.Duplicate:
		seen.Copies = 1
		l.launch(f)
	case scenario.Delay:
		f.at += r.By
		f.delayed = true
	}
	l.launch(f)
	seen.Arrived = f.at
	return seen
}

// decide asks the rules in their order; each counts what reaches it.
func (l *link) decide(from int, p packet) scenario.Rule {
	for i := range l.rules {
		r := &l.rules[i]
		if !r.Matches(from, p.segment) {
			continue
		}
		if r.seen++; r.Decides(r.seen) {
			return r.Rule
		}
	}
	return scenario.Rule{}
}

func (l *link) launch(f flight) {
	at := len(l.flight)
	for at > 0 && l.flight[at-1].at > f.at {
		at--
	}
	l.flight = slices.Insert(l.flight, at, f)
}

// next is when the next packet arrives, and whether there is one.
func (l *link) next() (time.Duration, bool) {
	if len(l.flight) == 0 {
		return 0, false
	}
	return l.flight[0].at, true
}

// idle reports whether nothing is under way but what a rule delays.
func (l *link) idle() bool {
	return !slices.ContainsFunc(l.flight, func(f flight) bool { return !f.delayed })
}

// arrive takes the next packet off the link.
func (l *link) arrive() flight {
	f := l.flight[0]
	l.flight = slices.Delete(l.flight, 0, 1)
	return f
}
