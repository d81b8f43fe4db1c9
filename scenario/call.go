package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Op is what an application, or its host's administrator, does. Every one
// returns at once: where a socket would block, the answer is EAGAIN.
type Op uint8

// The operations, with the words that a story has for them.
const (
	// Listen: "listens", on the host's port.
	Listen Op = iota + 1
	// StopListen: "stops listening": closes the listener's descriptor.
	StopListen
	// Connect: "connects", from the host's port to the other host's. A story
	// sees what came of it, or EINPROGRESS while nothing has.
	Connect
	// Accept: "accepts".
	Accept
	// Read: "reads", or "reads 5": at most so many octets.
	Read
	// Write: "writes 5".
	Write
	// Fill: "writes until blocked": until the peer's buffer and one's own are
	// full. The runner makes it of Writes; an Engine never sees it.
	Fill
	// Shutdown: "shuts down writing", "reading" or "both".
	Shutdown
	// Close: "closes" the connection's descriptor.
	Close
	// Abort: "aborts": closes it with SO_LINGER on and 0 seconds.
	Abort
	// Exit: "exits": the application ends, and all its descriptors with it.
	Exit
	// Destroy: "destroys": the host's administrator ends the connection under
	// its application (Linux: SOCK_DESTROY, ss -K).
	Destroy
	// TakeError: "takes error": getsockopt(SO_ERROR), which also clears it.
	TakeError
	// Set: "sets keepalive on", a socket option.
	Set
	// Tune: "tunes fin-wait-2 90s", a setting of the whole host.
	Tune
)

// How is what Shutdown ends.
type How uint8

// The directions of Shutdown.
const (
	Reading How = iota + 1
	Writing
	Both
)

var hows = [...]string{Reading: "reading", Writing: "writing", Both: "both"}

// Option is a socket option.
type Option uint8

// The socket options.
const (
	// KeepAlive: SO_KEEPALIVE, and its timing where given.
	KeepAlive Option = iota + 1
	// UserTimeout: TCP_USER_TIMEOUT.
	UserTimeout
	// Linger2: TCP_LINGER2; below 0 an orphan does not wait in FIN_WAIT_2.
	Linger2
)

// Knob is a setting of a host that a story may tune.
type Knob uint8

// The knobs.
const (
	// FinWait2: how long an orphan waits in FIN_WAIT_2 (Linux: tcp_fin_timeout).
	FinWait2 Knob = iota + 1
	// Retries: how many retransmissions a connection survives (tcp_retries2).
	Retries
)

// Call is one operation and its operands.
type Call struct {
	Op     Op
	N      int // Read: at most, 0 is all there is; Write: octets; Tune Retries
	How    How
	Option Option
	Knob   Knob
	// On is KeepAlive's.
	On bool
	// Idle, Every and Probes are KeepAlive's timing; 0 leaves a value as it is.
	Idle, Every time.Duration
	Probes      int
	// Span is what UserTimeout, Linger2 and Tune FinWait2 take.
	Span time.Duration
}

// plainCalls are the operations without operands.
var plainCalls = map[Op]string{
	Listen: "listens", StopListen: "stops listening", Connect: "connects", Accept: "accepts",
	Fill: "writes until blocked", Close: "closes", Abort: "aborts", Exit: "exits",
	Destroy: "destroys", TakeError: "takes error",
}

// String writes the call as a story does, without the host: "writes 5".
func (c Call) String() string {
	switch c.Op {
	case Read:
		if c.N == 0 {
			return "reads"
		}
		return "reads " + strconv.Itoa(c.N)
	case Write:
		return "writes " + strconv.Itoa(c.N)
	case Shutdown:
		return "shuts down " + nameOf(hows[:], c.How)
	case Set:
		return "sets " + c.option()
	case Tune:
		if c.Knob == Retries {
			return "tunes retries " + strconv.Itoa(c.N)
		}
		return "tunes fin-wait-2 " + Span(c.Span)
	}
	if words, ok := plainCalls[c.Op]; ok {
		return words
	}
	return fmt.Sprintf("op %d", c.Op)
}

func (c Call) option() string {
	switch c.Option {
	case UserTimeout:
		return "user-timeout " + Span(c.Span)
	case Linger2:
		if c.Span < 0 {
			return "linger2 never"
		}
		return "linger2 " + Span(c.Span)
	}
	if !c.On {
		return "keepalive off"
	}
	var b strings.Builder
	b.WriteString("keepalive on")
	if c.Idle > 0 {
		b.WriteString(" idle " + Span(c.Idle))
	}
	if c.Every > 0 {
		b.WriteString(" every " + Span(c.Every))
	}
	if c.Probes > 0 {
		b.WriteString(" probes " + strconv.Itoa(c.Probes))
	}
	return b.String()
}

// Return is what a call returned: octets, or the POSIX name of an error.
type Return struct {
	N   int
	Err string
	// Of says what kind of call it was: only Read, Write and Fill count octets.
	Of Op
}

// counts reports whether an operation returns a number of octets.
func (o Op) counts() bool { return o == Read || o == Write || o == Fill }

// String is the story's word: "0", "10", "ok", "ECONNRESET".
func (r Return) String() string {
	switch {
	case r.Err != "":
		return r.Err
	case r.Of.counts():
		return strconv.Itoa(r.N)
	}
	return "ok"
}

// Want is what a story says that a call returns.
type Want struct {
	// Any: whatever it is ("?"). Some: octets, but not zero ("some").
	Any, Some bool
	Return
}

// String writes what is wanted as a story does.
func (w Want) String() string {
	switch {
	case w.Any:
		return "?"
	case w.Some:
		return "some"
	}
	return w.Return.String()
}

// meets reports whether r is what is wanted. With no want a call has to succeed.
func (r Return) meets(w *Want) bool {
	switch {
	case w == nil:
		return r.Err == ""
	case w.Any:
		return true
	case w.Some:
		return r.Err == "" && r.N > 0
	}
	return r.Err == w.Err && (r.Err != "" || !r.Of.counts() || r.N == w.N)
}

// Span writes a length of time as stories do, without the zeros that
// Duration.String adds: "1m", "2h".
func Span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// nameOf is names[i], and never a panic.
func nameOf[T ~uint8](names []string, i T) string {
	if int(i) < len(names) && names[i] != "" {
		return names[i]
	}
	return strconv.Itoa(int(i))
}
