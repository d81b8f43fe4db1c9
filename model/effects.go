package model

import (
	"strings"

	"github.com/closewait/closewait/tcp"
)

// MaxSegments is the most that one Step sends. If there is more to send, the
// connection's next deadline is already due.
const MaxSegments = 8

// Notes are what the application would notice by itself, as a set: what wakes
// its poll(), or the upcalls of RFC 9293 §3.9.1.
type Notes uint16

// The notes.
const (
	// Connected: the handshake is over; an active open succeeded, or a passive
	// one may be accepted.
	Connected Notes = 1 << iota
	// Readable: there is more data to read.
	Readable
	// Writable: acknowledged data has left the send buffer.
	Writable
	// PeerClosed: the peer's FIN is here: after the data, a read returns zero.
	PeerClosed
	// Failed: the connection ended with an error: a RST, a time-out.
	Failed
	// Ended: the connection reached CLOSED, by whatever way.
	Ended
	// Struggling: retransmission passed R1 (SHLD-9): the peer is slow to answer.
	Struggling
	// Relisten: a passive connection in SYN-RECEIVED went back to LISTEN.
	Relisten
	// Reopen: a SYN may take this TIME-WAIT's place (RFC 9293 §3.10.7.4, MAY-2).
	// The caller deletes the connection and gives the SYN to its listener, with
	// an ISS of Conn.ReuseISS.
	Reopen
)

var noteNames = []string{"connected", "readable", "writable", "peer-closed", "failed", "ended", "struggling", "relisten", "reopen"}

// Has reports whether all notes of n are in the set.
func (s Notes) Has(n Notes) bool { return s&n == n }

// String lists the notes, joined by a comma.
func (s Notes) String() string {
	var b strings.Builder
	for i, name := range noteNames {
		if s&(1<<i) == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(name)
	}
	return b.String()
}

// Result is what a user call returned: N octets, or an error.
type Result struct {
	N   uint32
	Err Errno
	// Call is the call that returned; KindTick or KindArrive: none did.
	Call Kind
	zero bool
	_    uint8
}

// EOF reports whether this is a read's return of zero that says that nothing
// more will come; a read of 0 octets returns zero and says nothing.
func (r Result) EOF() bool { return r.zero }

// Effects are what a Step does besides changing its Conn.
type Effects struct {
	segments [MaxSegments]tcp.Segment
	Result   Result
	Notes    Notes
	// Dropped says why a segment that arrived was not processed to its end.
	Dropped Drop
	sent    uint8
}

// Segments returns what to send, in order. The slice is the Effects' own.
func (f *Effects) Segments() []tcp.Segment { return f.segments[:f.sent] }

// Len is how many segments there are to send.
func (f *Effects) Len() int { return int(f.sent) }

// Segment returns the i-th segment to send; the zero Segment if there is none.
func (f *Effects) Segment(i int) tcp.Segment {
	if i < 0 || i >= int(f.sent) {
		return tcp.Segment{}
	}
	return f.segments[i]
}

// add queues a segment; it reports false when there is no room for it.
func (f *Effects) add(s tcp.Segment) bool {
	if f.sent == MaxSegments {
		return false
	}
	f.segments[f.sent] = s
	f.sent++
	return true
}

// Drop is why an arriving segment ended its way early.
type Drop uint8

// The reasons.
const (
	// NotDropped: processed to the end.
	NotDropped Drop = iota
	// Unacceptable: outside the receive window (§3.10.7.4, first).
	Unacceptable
	// ResetIgnored: a RST that is not to be believed.
	ResetIgnored
	// SynIgnored: a SYN where none belongs.
	SynIgnored
	// NoAck: neither SYN, RST nor ACK (§3.10.7.4, fifth).
	NoAck
	// BadAck: an acknowledgment of what was never sent, or too old.
	BadAck
	// NoConnection: there is no connection (§3.10.7.1).
	NoConnection
	// AfterClose: data for an application that is gone: answered by a RST.
	AfterClose
	// Filtered: a profile's knob drops it (drop_synfin).
	Filtered
)

var dropNames = [...]string{"", "unacceptable", "reset-ignored", "syn-ignored", "no-ack", "bad-ack", "no-connection", "after-close", "filtered"}

// String returns the reason's name, nothing for NotDropped.
func (d Drop) String() string {
	if int(d) < len(dropNames) {
		return dropNames[d]
	}
	return "drop"
}
