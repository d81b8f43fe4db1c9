package scenario

import (
	"fmt"
	"time"

	"github.com/closewait/closewait/tcp"
)

// Result is what happened when a story was played.
type Result struct {
	Story *Story
	// Names are the engine's.
	Names []string
	// Events are all that happened, in the order of time.
	Events []Event
	// Failures are the expectations that did not come true, in the story's order.
	Failures []Failure
	// End is how the hosts looked last, and when that was.
	End   [2]Observation
	Ended time.Duration
	// Apart reports whether an expectation was the engine's own ("on …").
	Apart bool
}

// Holds reports whether all that was expected came true.
func (r *Result) Holds() bool { return len(r.Failures) == 0 }

// EventKind says what an Event is.
type EventKind uint8

// The kinds of events.
const (
	// Called: an application did something. Host, Call, Return.
	Called EventKind = iota + 1
	// Sent: a segment went onto the wire. Host, Packet.
	Sent
	// Changed: a connection's state changed. Host, From, To, Seen.
	Changed
	// Ruled: the link will behave differently. Text.
	Ruled
	// Waited: the story let time pass, from At on. Text.
	Waited
	// Checked: expectations were compared. Text, and Failed.
	Checked
)

// Event is one thing that happened. Which fields mean something is said at the
// kinds.
type Event struct {
	At   time.Duration
	Kind EventKind
	Host int
	// Line is the story's, from 1; 0 for what no line did.
	Line   int
	Call   Call
	Return Return
	Packet Packet
	// From and To are states; Seen is the whole look.
	From, To tcp.State
	Seen     Observation
	Text     string
	Failed   bool
}

// Failure is an expectation that did not come true.
type Failure struct {
	File string
	// Line is where the expectation stands.
	Line        int
	Wanted, Got string

	at  int    // index into Story.lines
	fix string // the statement that would have come true
}

// Error says "c8.story:12: wanted local CLOSED, got local CLOSE_WAIT".
func (f Failure) Error() string {
	return fmt.Sprintf("%s:%d: wanted %s, got %s", f.File, f.Line, f.Wanted, f.Got)
}
