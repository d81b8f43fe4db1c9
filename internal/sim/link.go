package sim

import (
	"slices"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/scenario"
)

// Link carries packets between two hosts in virtual time, and loses, doubles
// or delays those that its rules select. Packets of one direction arrive in the
// order of their sending unless a rule delays them. The zero Link carries
// everything at once.
type Link struct {
	// Latency is how long every packet is under way.
	Latency model.Time

	rules  []counter
	flight []flight
}

// counter is a rule and how many segments it has matched.
type counter struct {
	scenario.Rule
	seen int
}

// flight is a packet under way.
type flight struct {
	at      model.Time
	to      int
	packet  Packet
	delayed bool
}

// Rule adds a rule, Recover takes all of them back. What is under way stays so.
func (l *Link) Rule(r scenario.Rule) { l.rules = append(l.rules, counter{Rule: r}) }

// Recover takes back all rules.
func (l *Link) Recover() { l.rules = nil }

// Send puts a packet on the link, and returns what there is to be seen of it.
func (l *Link) Send(now model.Time, from int, p Packet) scenario.Packet {
	seen := scenario.Packet{From: from, Segment: p.Segment, Sent: since(now)}
	f := flight{at: now + l.Latency, to: 1 - from, packet: p}
	switch r := l.decide(from, p); r.Fate {
	case scenario.Lose:
		seen.Lost = true
		return seen
	case scenario.Duplicate:
		seen.Copies = 1
		l.launch(f)
	case scenario.Delay:
		f.at += model.Time(r.By)
		f.delayed = true
	}
	l.launch(f)
	seen.Arrived = since(f.at)
	return seen
}

// decide asks the rules in their order; each counts what reaches it.
func (l *Link) decide(from int, p Packet) scenario.Rule {
	for i := range l.rules {
		r := &l.rules[i]
		if !r.Matches(from, p.Segment) {
			continue
		}
		if r.seen++; r.Decides(r.seen) {
			return r.Rule
		}
	}
	return scenario.Rule{}
}

func (l *Link) launch(f flight) {
	at := len(l.flight)
	for at > 0 && l.flight[at-1].at > f.at {
		at--
	}
	l.flight = slices.Insert(l.flight, at, f)
}

// Next is when the next packet arrives, and whether there is one.
func (l *Link) Next() (model.Time, bool) {
	if len(l.flight) == 0 {
		return 0, false
	}
	return l.flight[0].at, true
}

// Idle reports whether nothing is under way but what a rule delays.
func (l *Link) Idle() bool {
	return !slices.ContainsFunc(l.flight, func(f flight) bool { return !f.delayed })
}

// arrive takes the next packet off the link.
func (l *Link) arrive() flight {
	f := l.flight[0]
	l.flight = slices.Delete(l.flight, 0, 1)
	return f
}
