package scenario

import (
	"errors"
	"time"

	"github.com/closewait/closewait/tcp"
)

// Engine plays a story: two hosts, an application on each, and the link between
// them. Host 0 is the story's first. The hosts have one port each; every
// connection of a story is between these two ports.
//
// A host's application has at most a listener and one connection: the one that
// it connected or accepted last, until its descriptor is closed. Calls are on
// that descriptor, dead or alive; what can be observed is that connection, or
// without a descriptor what the host's TCP still has with the other host.
//
// An Engine is used by one goroutine. A virtual one jumps from event to event;
// a real one sleeps, and may run its hosts' clocks faster than the world's: all
// times it takes and gives are the story's.
type Engine interface {
	// Names says who this is, most particular first: "linux-kernel", "linux".
	// The first that a story has its own expectation for decides.
	Names() []string
	// Call does one operation at a host and returns what the call returned. It
	// never blocks: Connect answers EINPROGRESS. A call on a descriptor that the
	// host does not have is EBADF. The error is ErrUnsupported, or says that the
	// engine itself failed.
	Call(host int, c Call) (Return, error)
	// Rule adds something that the link does; Recover takes all rules back.
	Rule(r Rule) error
	Recover() error
	// Advance lets at most so much time pass. It comes back early when a segment
	// was sent or arrived, or a timer fired; a real engine may come back earlier
	// still, after no less than a millisecond of its own.
	Advance(most time.Duration) error
	// Quiet reports whether nothing is under way but what a rule delays, and
	// nothing is due: only time or an application can change something.
	Quiet() (bool, error)
	// Observe looks at a host.
	Observe(host int) (Observation, error)
	// Wire returns the segments that were sent since it was last asked, in the
	// order of their sending.
	Wire() ([]Packet, error)
	// Now is the time since the story began.
	Now() time.Duration
}

// ErrUnsupported is an engine's answer to something that it can not do. The
// story then says nothing of this engine.
var ErrUnsupported = errors.New("this engine can not do that")

// Packet is a segment on the wire.
type Packet struct {
	From    int // the sending host
	Segment tcp.Segment
	// Sent is when; Arrived too, 0 for one that has not, or where an engine does
	// not know.
	Sent, Arrived time.Duration
	// Lost: the link dropped it. Copies: how many more of it the link made.
	Lost   bool
	Copies int
}

// Timer is what a connection waits for. Where several run, the first of this
// list is shown, which is the order in which Linux hides one behind another.
type Timer uint8

// The timers.
const (
	// TimerUnknown: the engine can not tell.
	TimerUnknown Timer = iota
	TimerNone
	TimerRetransmission
	TimerProbe // the zero-window probe
	// TimerWait ends FIN_WAIT_2 or TIME_WAIT.
	TimerWait
	TimerKeepalive
)

var timers = [...]string{
	TimerUnknown: "unknown", TimerNone: "none", TimerRetransmission: "retransmission",
	TimerProbe: "probe", TimerWait: "wait", TimerKeepalive: "keepalive",
}

// String is the story's word.
func (t Timer) String() string { return nameOf(timers[:], t) }

// Observation is what can be seen of a host from outside, as by ss.
type Observation struct {
	// State is the connection's; tcp.Closed where there is none, or none any more.
	State tcp.State
	// Listening: the host has a listener.
	Listening bool
	// Held: an application has a descriptor of the connection, dead or alive.
	Held bool
	// RecvQ and SendQ are as tools show them: an unread FIN counts as one octet.
	RecvQ, SendQ uint32
	Timer        Timer
}
