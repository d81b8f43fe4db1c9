package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/closewait/closewait/tcp"
)

// Fate is what a link does to the segments that a Rule selects.
type Fate uint8

// The fates.
const (
	// Lose: "loses": the segment never arrives.
	Lose Fate = iota + 1
	// Duplicate: "duplicates": it arrives twice.
	Duplicate
	// Delay: "delays … by 500ms": it arrives later, so that others overtake it.
	Delay
)

var fates = [...]string{Lose: "loses", Duplicate: "duplicates", Delay: "delays"}

// Class sorts segments by what they are for. Every segment has exactly one,
// but for data that carries a FIN, which is both.
type Class uint8

// The classes. A RST is a RST whatever else it carries, and so on downward.
const (
	AnySegment Class = iota // "segment": every class
	RST
	SYN    // a SYN without ACK
	SYNACK // "SYN|ACK"
	FIN
	Data // "data"; in an expectation also "10 bytes"
	// Pure is an ACK that carries nothing.
	Pure
	// Probe is such an ACK with an old sequence number: keepalive and
	// zero-window probes. Only expectations know it; a Rule takes it for Pure.
	Probe
)

var classes = [...]string{AnySegment: "segment", RST: "RST", SYN: "SYN", SYNACK: "SYN|ACK", FIN: "FIN", Data: "data", Pure: "ACK", Probe: "probe"}

// String is the story's word for the class.
func (c Class) String() string { return nameOf(classes[:], c) }

// Holds reports whether a segment is of this class; Probe is as good as Pure,
// for one segment alone does not tell them apart.
func (c Class) Holds(s tcp.Segment) bool {
	rst, syn, fin := s.Has(tcp.RST), s.Has(tcp.SYN), s.Has(tcp.FIN)
	switch c {
	case AnySegment:
		return true
	case RST:
		return rst
	case SYN:
		return !rst && syn && !s.Has(tcp.ACK)
	case SYNACK:
		return !rst && syn && s.Has(tcp.ACK)
	case FIN:
		return !rst && !syn && fin
	case Data:
		return !rst && !syn && s.Len > 0
	}
	return !rst && !syn && !fin && s.Len == 0
}

// Rule is something that the link does from now on, until Recover. The first
// of several rules that selects a segment decides; the others do not count it.
type Rule struct {
	Fate  Fate
	Class Class
	// From is the sending host's index; -1 is either.
	From int
	// First and Last bound which segments are meant, of those that are of this
	// class and from that host, counted from 1 after the rule was made. Last 0
	// is no bound.
	First, Last int
	// By is how much Delay adds.
	By time.Duration
}

// Decides reports what a rule says to the n-th segment (from 1) that it
// matches.
func (r Rule) Decides(n int) bool { return n >= r.First && (r.Last == 0 || n <= r.Last) }

// Matches reports whether the rule counts a segment.
func (r Rule) Matches(from int, s tcp.Segment) bool {
	return (r.From < 0 || r.From == from) && r.Class.Holds(s)
}

// text writes the rule as a story does.
func (r Rule) text(hosts [2]string) string {
	var b strings.Builder
	b.WriteString("the link " + nameOf(fates[:], r.Fate) + " " + r.selection())
	if r.From >= 0 {
		b.WriteString(" from " + hosts[r.From&1])
	}
	if r.Fate == Delay {
		b.WriteString(" by " + Span(r.By))
	}
	return b.String()
}

func (r Rule) selection() string {
	noun := r.Class.String()
	plural := noun + "s"
	if r.Class == Data {
		noun, plural = "data segment", "data segments"
	}
	switch {
	case r.First == 1 && r.Last == 0 && r.Class == AnySegment:
		return "everything"
	case r.First == 1 && r.Last == 0:
		return "every " + noun
	case r.First == 1 && r.Last == 1:
		return "the first " + noun
	case r.First == 1:
		return "the first " + strconv.Itoa(r.Last) + " " + plural
	}
	return "the " + ordinal(r.First) + " " + noun
}

func ordinal(n int) string {
	suffix := "th"
	if n/10%10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprint(n) + suffix
}
