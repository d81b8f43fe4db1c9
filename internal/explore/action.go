package explore

import (
	"fmt"
	"strings"

	"github.com/closewait/closewait/model"
)

// Calls is a set of the calls that applications make.
type Calls uint16

// The calls. Of two stories of the same length the one whose calls come first
// here is told.
const (
	CallWrite Calls = 1 << iota
	CallRead
	CallClose
	CallShutWrite
	CallShutRead
	CallShutBoth
	// CallExit is the application's end with data unread; without any, it is a
	// close.
	CallExit
	CallAbort
	callsEnd
	// AllCalls are all of them.
	AllCalls = callsEnd - 1
)

// calls is how many there are; call number i is 1<<i.
const calls = 8

var callNames = [calls]string{"write", "read", "close", "shutdown-wr", "shutdown-rd", "shutdown-rdwr", "exit", "abort"}

// numbers of the calls that the search itself must know.
const (
	writeCall = 0
	closeCall = 2
	exitCall  = 6
)

// String lists the calls, joined by commas.
func (c Calls) String() string {
	var names []string
	for i, name := range callNames {
		if c&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// ParseCalls reads what String writes.
func ParseCalls(text string) (Calls, error) {
	var c Calls
	for word := range strings.SplitSeq(text, ",") {
		known := false
		for i, name := range callNames {
			if name == strings.TrimSpace(word) {
				c, known = c|1<<i, true
			}
		}
		if !known {
			return 0, fmt.Errorf("unknown call %q: use some of %s, joined by commas", word, AllCalls)
		}
	}
	return c, nil
}

// readAll is more than any receive buffer holds here.
const readAll = 1 << 16

// callEvent is the model's event of a call.
func callEvent(call int) model.Event {
	switch Calls(1) << call {
	case CallWrite:
		return model.Write(1)
	case CallRead:
		return model.Read(readAll)
	case CallShutWrite:
		return model.Shutdown(model.ShutWrite)
	case CallShutRead:
		return model.Shutdown(model.ShutRead)
	case CallShutBoth:
		return model.Shutdown(model.ShutBoth)
	case CallAbort:
		return model.Abort()
	case CallExit:
		return model.Exit()
	}
	return model.Close()
}

// Kind says what sort of thing happens in a step of a story.
type Kind uint8

// The kinds.
const (
	// Deliver: the link brings a segment.
	Deliver Kind = iota
	// Fire: a timer that is due fires.
	Fire
	// Call: an application calls.
	Call
	// Pass: one Unit of time passes.
	Pass
	// Lose: the link loses a segment.
	Lose
	// Duplicate: the link makes a copy, which follows all that is in flight.
	Duplicate
)

// action is one thing that happens: its Kind, the side it happens to (the
// receiver's, for the link) and a number: of the call, or how many older
// segments a delivered one overtakes.
type action uint16

func act(k Kind, side, n int) action { return action(int(k)<<8 | side<<7 | n) }

func (a action) kind() Kind { return Kind(a >> 8) }
func (a action) side() int  { return int(a >> 7 & 1) }
func (a action) n() int     { return int(a & 0x7f) }
