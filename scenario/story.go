package scenario

import (
	"slices"
	"time"

	"github.com/closewait/closewait/tcp"
)

// Story is a parsed story.
type Story struct {
	// File is the name given to Parse, for messages.
	File string
	// Title is the first comment, without its '#'.
	Title string
	// Hosts are the names of the two hosts: "local" and "remote" unless said.
	Hosts [2]string
	// Claims are what the story shows.
	Claims []Claim
	// Profiles are the stacks that the story is about; empty: all of them, and
	// linux where one has to be chosen.
	Profiles []string
	// Verdicts say for which profiles the claim does not simply hold.
	Verdicts []Verdict
	Steps    []Step

	lines []line
}

// Claim is a claim that a story shows, or corrects.
type Claim struct {
	ID, Text string
	// Correction: the story shows in what the claim is not so.
	Correction bool
}

// Holding says whether a claim is true of a stack.
type Holding uint8

// The verdicts of a story.
const (
	Holds Holding = iota
	DoesNotHold
	Depends
)

var holdings = [...]string{Holds: "holds", DoesNotHold: "does not hold", Depends: "depends"}

// String is the story's words.
func (h Holding) String() string { return nameOf(holdings[:], h) }

// Verdict says how a claim stands with some profiles.
type Verdict struct {
	On      []string
	Holding Holding
	Because string
	Line    int
}

// VerdictFor returns the verdict that names one of these profiles or engines,
// the first name first. None means: it holds.
func (s *Story) VerdictFor(names ...string) (Verdict, bool) {
	for _, name := range names {
		for _, v := range s.Verdicts {
			if slices.Contains(v.On, name) {
				return v, true
			}
		}
	}
	return Verdict{}, false
}

// About reports whether the story is meant for an engine of these names.
func (s *Story) About(names ...string) bool {
	if len(s.Profiles) == 0 {
		return true
	}
	for _, name := range names {
		if slices.Contains(s.Profiles, name) {
			return true
		}
	}
	return false
}

// Step is one thing that a story does or expects, in one of the types Act,
// Link, Recover, Wait, Meet, Expect and ExpectWire.
type Step interface {
	// text writes the step as the story's language has it.
	text(hosts [2]string) string
	// place is where it stands: the indexes in Story.lines of the step and of its
	// "on …" lines.
	place() (step int, own []int)
}

// Act is a call: "local reads → 0".
type Act struct {
	Host int
	Call Call
	// Want is what it has to return; nil: anything but an error.
	Want *Want
	// Else are the returns of particular engines.
	Else []ElseReturn
	line int // index into Story.lines
}

// Meet opens a connection: "local and remote are connected": host 1 listens,
// host 0 connects, host 1 accepts. ExpectWire does not see it.
type Meet struct{ line int }

// Link is a rule for the link.
type Link struct {
	Rule Rule
	line int
}

// Recover is "the link recovers": all rules end.
type Recover struct{ line int }

// Wait lets time pass. It expects nothing: if Until does not come true, it ends
// after Most all the same.
type Wait struct {
	Most  time.Duration
	Until *HostWant // nil: all of Most
	line  int
}

// Expect is what both hosts, or one, have to look like.
type Expect struct {
	Hosts []HostWant
	Else  []ElseExpect
	line  int
}

// ExpectWire is what has to have been sent since the ExpectWire before it. See
// the package's documentation for what it does not compare.
type ExpectWire struct {
	Items []WireItem
	// From: "…": what came before the items is not looked at.
	From bool
	Else []ElseWire
	line int
}

// HostWant is what one host has to look like.
type HostWant struct {
	Host int
	// State of the connection; 0: not asked. Gone: CLOSED and held by nobody.
	State tcp.State
	Gone  bool
	// Held: 0 not asked, 1 by its application, -1 by nobody.
	Held int
	// RecvQ and SendQ; -1: not asked.
	RecvQ, SendQ int64
	// Timer; TimerUnknown: not asked.
	Timer Timer
	// Forever: neither host has a timer, and nothing is under way.
	Forever bool
}

// WireItem is one segment of ExpectWire, in normal form.
type WireItem struct {
	From  int
	Class Class
	// N is how many octets of Data; 0 is any number.
	N int
	// WithAck: RST|ACK and not any RST.
	WithAck bool
	// Again: all of it had been sent before.
	Again, Lost bool
}

// Apart is what distinguishes an engine's own expectation: whose it is and why.
type Apart struct {
	On      []string
	Because string
	line    int
}

// ElseReturn takes the place of Act.Want.
type ElseReturn struct {
	Apart
	Want Want
}

// ElseExpect takes the place of Expect.Hosts.
type ElseExpect struct {
	Apart
	Hosts []HostWant
}

// ElseWire takes the place of ExpectWire.Items.
type ElseWire struct {
	Apart
	Items []WireItem
	From  bool
}

// pick returns the index of the one that speaks for these names, or -1.
func pick[T any](all []T, apart func(T) Apart, names []string) int {
	for _, name := range names {
		for i, e := range all {
			if slices.Contains(apart(e).On, name) {
				return i
			}
		}
	}
	return -1
}

func (m *Meet) place() (int, []int)    { return m.line, nil }
func (l *Link) place() (int, []int)    { return l.line, nil }
func (r *Recover) place() (int, []int) { return r.line, nil }
func (w *Wait) place() (int, []int)    { return w.line, nil }

func (a *Act) place() (int, []int) {
	return a.line, places(a.Else, func(e ElseReturn) Apart { return e.Apart })
}

func (e *Expect) place() (int, []int) {
	return e.line, places(e.Else, func(e ElseExpect) Apart { return e.Apart })
}

func (e *ExpectWire) place() (int, []int) {
	return e.line, places(e.Else, func(e ElseWire) Apart { return e.Apart })
}

func places[T any](all []T, apart func(T) Apart) []int {
	var lines []int
	for _, e := range all {
		lines = append(lines, apart(e).line)
	}
	return lines
}
