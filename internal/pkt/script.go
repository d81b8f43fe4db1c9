package pkt

import (
	"fmt"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// Script is a packetdrill script, read and not yet run.
type Script struct {
	// Name is what errors call it: a file's path.
	Name string
	// Options are its lines "--name=value".
	Options []Option
	Events  []Event
}

// Option is a line "--name=value".
type Option struct {
	Line        int
	Name, Value string
}

// Event is one line of a script: when, and what. Exactly one of the pointers is
// set.
type Event struct {
	Line    int
	When    When
	Call    *Call
	Packet  *Packet
	Assert  *Assert
	Command *Command
}

// Base is what an event's time counts from.
type Base uint8

// The bases.
const (
	// SameTime: no time is given: a command before the first event.
	SameTime Base = iota
	// Absolute: since the script began.
	Absolute
	// Relative: since the event before.
	Relative
	// Anytime: "*", whenever it happens.
	Anytime
)

// When is the time of an event.
type When struct {
	Base Base
	// At is the earliest time, Until the latest, if there is a range: "a~b" for
	// a packet, "a...b" for a call that blocks.
	At, Until model.Time
	// Ranged: Until is given.
	Ranged bool
	// Blocks: the range is a call's, from its start to its return.
	Blocks bool
}

// Call is a system call, and what it must return.
type Call struct {
	Name string
	Args []Value
	// Result is what it returns.
	Result Value
	// Errno is the error's name, if one is given.
	Errno string
}

// Command is a backquoted shell command.
type Command struct{ Text string }

// Packet is a segment that arrives, or that must be sent.
type Packet struct {
	// Inbound: "<", the script's peer sends it.
	Inbound bool
	Flags   tcp.Flags
	// AnySeq: "...(len)".
	AnySeq bool
	Seq    tcp.Seq
	Len    uint32
	// Acks: an "ack" is given, apart from the flag.
	Acks bool
	Ack  tcp.Seq
	// Window is the field's value, not scaled; WindowGiven tells 0 from none.
	Window      uint32
	WindowGiven bool
	Options     TCPOptions
}

// TCPOptions are a segment's options as far as they matter here.
type TCPOptions struct {
	// Given: the list is there, "<...>" excepted.
	Given bool
	MSS   uint16
	// Scale is the window scale, with HasScale.
	Scale      uint8
	HasScale   bool
	SACK       bool
	Timestamps bool
}

// SyntaxError is a place in a script that this package does not understand:
// wrong, or outside the part of the language that it knows.
type SyntaxError struct {
	File string
	Line int
	Text string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text) }
