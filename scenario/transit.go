package scenario

import (
	"slices"
	"time"

	"github.com/closewait/closewait/tcp"
)

// Rules are what a link does at present, for the engines that have to know it.
// The zero Rules lose nothing.
type Rules struct{ list []counted }

// counted is a rule and how many segments it has matched.
type counted struct {
	Rule
	seen int
}

// Add adds a rule.
func (r *Rules) Add(rule Rule) { r.list = append(r.list, counted{Rule: rule}) }

// Clear takes all of them back.
func (r *Rules) Clear() { r.list = nil }

// Decide asks the rules in their order about a segment; each counts what reaches
// it. The zero Rule is that of a segment that no rule is about.
func (r *Rules) Decide(from int, s tcp.Segment) Rule {
	for i := range r.list {
		rule := &r.list[i]
		if !rule.Matches(from, s) {
			continue
		}
		if rule.seen++; rule.Decides(rule.seen) {
			return rule.Rule
		}
	}
	return Rule{}
}

// Transit carries an engine's packets between its two hosts, in virtual time, and
// loses, doubles or delays those that its rules select. Packets of one direction
// arrive in the order of their sending unless a rule delays them. The zero Transit
// carries everything at once.
type Transit[P any] struct {
	// Latency is how long every packet is under way.
	Latency time.Duration
	// Rules apply to what is sent; what is under way stays so.
	Rules

	flights []flight[P] // the next to arrive first
}

// flight is a packet under way.
type flight[P any] struct {
	at      time.Duration
	to      int
	packet  P
	delayed bool
}

// Send puts a packet with its segment on the way, and returns what there is to be
// seen of it.
func (t *Transit[P]) Send(now time.Duration, from int, s tcp.Segment, p P) Packet {
	seen := Packet{From: from, Segment: s, Sent: now}
	f := flight[P]{at: now + t.Latency, to: 1 - from, packet: p}
	switch r := t.Decide(from, s); r.Fate {
	case Lose:
		seen.Lost = true
		return seen
	case Duplicate:
		seen.Copies = 1
		t.launch(f)
	case Delay:
		f.at += r.By
		f.delayed = true
	}
	t.launch(f)
	seen.Arrived = f.at
	return seen
}

func (t *Transit[P]) launch(f flight[P]) {
	at := len(t.flights)
	for at > 0 && t.flights[at-1].at > f.at {
		at--
	}
	t.flights = slices.Insert(t.flights, at, f)
}

// Next is when the next packet arrives, and whether there is one.
func (t *Transit[P]) Next() (at time.Duration, ok bool) {
	if len(t.flights) == 0 {
		return 0, false
	}
	return t.flights[0].at, true
}

// Idle reports whether nothing is under way but what a rule delays.
func (t *Transit[P]) Idle() bool {
	return !slices.ContainsFunc(t.flights, func(f flight[P]) bool { return !f.delayed })
}

// Arrive takes the next packet, which there must be, at its destination.
func (t *Transit[P]) Arrive() (to int, p P) {
	f := t.flights[0]
	t.flights = slices.Delete(t.flights, 0, 1)
	return f.to, f.packet
}
