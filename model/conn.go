package model

import "github.com/closewait/closewait/tcp"

// Conn is one connection: what RFC 9293 §3.3.1 calls a transmission control
// block, and what its socket remembers. It is a plain value: two Conns that
// are == behave the same for ever. Make one with NewConn, change it with Step.
//
// The zero Conn is a closed connection of the zero Profile. The struct has no
// padding, so that it hashes as plain memory.
type Conn struct {
	// Deadlines; 0 is off. One timer serves retransmission and zero-window
	// probes, for they exclude each other (RFC 6298 §5, RFC 9293 §3.8.6.1).
	sendAt     Time // retransmission or zero-window probe
	moreAt     Time // the rest of what one Step could not send
	keepAt     Time // keepalive
	waitAt     Time // FIN-WAIT-2 (a deviation) or TIME-WAIT
	delayedAt  Time // delayed ACK
	stallAt    Time // user timeout of a stalled sender
	rttAt      Time // when rttSeq was sent; 0: nothing is being timed
	backoffAt  Time // first retransmission of a row; first probe of a row
	heardAt    Time // last segment in FIN-WAIT-2, where a profile extends it
	challenged Time // last answer to a segment out of window, where limited

	rto, srtt, rttvar    Time
	keepIdle, keepEvery  Time
	userTimeout, linger2 Time
	flags                flag
	iss, una, nxt, end   tcp.Seq // end: after the last octet written, FIN excluded
	wl1, wl2             tcp.Seq
	recover              tcp.Seq // retransmit up to here, after a timeout
	rttSeq               tcp.Seq
	irs, rcvNxt, adv     tcp.Seq // adv: right edge of the window offered
	copied               tcp.Seq // up to where the application has read
	finSeq               tcp.Seq // the peer's FIN, when it came out of order
	early                [maxEarly]span
	sndWnd, maxWnd       uint32
	sndBuf, rcvBuf       uint32
	mss                  uint16
	retries              uint16 // retransmissions in a row
	backoff              uint16 // zero-window probes in a row, answered or not
	unanswered           uint16 // zero-window or keepalive probes without an answer
	keepProbes           uint8
	state                tcp.State
	soErr                Errno // SO_ERROR
	endErr               Errno // why it ended, kept for good
}

// maxEarly bounds how many separate pieces of data that came out of order are
// kept. What does not fit is dropped, and comes again (RFC 9293 §3.10.7.4:
// keeping it is a "should").
const maxEarly = 3

// span is a piece of the sequence space, [from, to); empty when they are equal.
type span struct{ from, to tcp.Seq }

// flag is a set of facts about a Conn.
type flag uint64

const (
	passive    flag = 1 << iota // began in LISTEN
	wasOpen                     // was in SYN-SENT or beyond
	synced                      // both SYNs exchanged: was in ESTABLISHED or beyond
	finQueued                   // our FIN follows the written data
	finSent                     // it has been sent
	finAcked                    // it has been acknowledged
	finHere                     // the peer's FIN is in order
	finEarly                    // the peer's FIN came before its data: at finSeq
	readShut                    // shutdown(SHUT_RD)
	readTold                    // a read returned zero
	detached                    // no application any more
	persisting                  // sendAt is a zero-window probe
	keepOn                      // SO_KEEPALIVE
	lingerZero                  // SO_LINGER on, 0 seconds
	noDelay                     // TCP_NODELAY
	ackNow                      // owes an ACK in this Step
	miniWait                    // waitAt is to become a second, silent wait (Linux)
	resent                      // what is outstanding has been retransmitted (Karn)
	synAcked                    // our SYN has been acknowledged
	tailing                     // sendAt is a tail probe
	several                     // more than one segment went out since all was acknowledged
)

// NewConn returns a closed connection with the profile's defaults.
func NewConn(p *Profile) Conn {
	c := Conn{
		state:      tcp.Closed,
		rto:        p.RTOInitial,
		mss:        p.MSS,
		sndBuf:     p.SendBuffer,
		rcvBuf:     p.ReceiveBuffer,
		keepIdle:   p.KeepIdle,
		keepEvery:  p.KeepInterval,
		keepProbes: p.KeepProbes,
	}
	if p.KeepDefault {
		c.flags |= keepOn
	}
	return c
}

// State returns the connection's state, tcp.Closed for the zero Conn.
func (c Conn) State() tcp.State {
	if c.state == 0 {
		return tcp.Closed
	}
	return c.state
}

// ISS and IRS are the initial sequence numbers, ours and the peer's.
func (c Conn) ISS() tcp.Seq { return c.iss }

// IRS is the peer's initial sequence number; see Synchronized.
func (c Conn) IRS() tcp.Seq { return c.irs }

// SndUna is the oldest sequence number sent and not acknowledged.
func (c Conn) SndUna() tcp.Seq { return c.una }

// SndNxt is the next sequence number to send.
func (c Conn) SndNxt() tcp.Seq { return c.nxt }

// SndWnd is the window that the peer offered last, from SndUna on.
func (c Conn) SndWnd() uint32 { return c.sndWnd }

// RcvNxt is the next sequence number expected.
func (c Conn) RcvNxt() tcp.Seq { return c.rcvNxt }

// RcvWnd is the window as the peer knows it: what has been offered and not used.
func (c Conn) RcvWnd() uint32 {
	if w := c.adv.From(c.rcvNxt); w > 0 {
		return uint32(w)
	}
	return 0
}

// MSS is the most data that one segment carries.
func (c Conn) MSS() uint16 { return c.mss }

// Unread is how many octets a read could return now.
func (c Conn) Unread() uint32 {
	n := uint32(c.rcvNxt - c.copied)
	if c.has(finHere) && n > 0 {
		n--
	}
	return n
}

// RecvQ is what Linux tools show as Recv-Q: what is unread, the FIN counting as
// one until a read has passed it.
func (c Conn) RecvQ() uint32 { return uint32(c.rcvNxt - c.copied) }

// SendQ is what tools show as Send-Q: what is written and not acknowledged, a
// FIN counting as one, and so does a SYN of a connect().
func (c Conn) SendQ() uint32 {
	if c.State() == tcp.SynReceived && c.has(passive) {
		return 0 // a record in the SYN queue (Linux, inet_diag.c inet_req_diag_fill)
	}
	n := c.backlog()
	if c.has(finQueued) && !c.has(finAcked) {
		n++
	}
	if c.has(finAcked) || c.State() == tcp.Closed {
		return 0
	}
	return n
}

// backlog is how many octets are written and not acknowledged.
func (c *Conn) backlog() uint32 {
	if n := c.end.From(c.una); n > 0 {
		return uint32(n)
	}
	return 0
}

// Unsent is how many octets are written and not yet sent.
func (c Conn) Unsent() uint32 {
	if n := c.end.From(c.nxt); n > 0 {
		return uint32(n)
	}
	return 0
}

// Passive reports whether the connection began in LISTEN.
func (c Conn) Passive() bool { return c.has(passive) }

// Synchronized reports whether the handshake has been completed; stays so.
func (c Conn) Synchronized() bool { return c.has(synced) }

// Detached reports whether the application is gone: an orphan.
func (c Conn) Detached() bool { return c.has(detached) }

// FinReceived reports whether the peer's FIN, and all before it, is here.
func (c Conn) FinReceived() bool { return c.has(finHere) }

// FinSent reports whether our FIN has been sent at least once.
func (c Conn) FinSent() bool { return c.has(finSent) }

// FinAcked reports whether our FIN has been acknowledged.
func (c Conn) FinAcked() bool { return c.has(finAcked) }

// WriteClosed reports whether the application said that it writes no more.
func (c Conn) WriteClosed() bool { return c.has(finQueued) }

// ReadClosed reports whether the application said that it reads no more.
func (c Conn) ReadClosed() bool { return c.has(readShut) }

// EOFRead reports whether a read has returned zero: the application was told.
func (c Conn) EOFRead() bool { return c.has(readTold) }

// PendingError is SO_ERROR, without clearing it.
func (c Conn) PendingError() Errno { return c.soErr }

// EndError is what ended the connection: OK for an orderly end, or while it lasts.
func (c Conn) EndError() Errno { return c.endErr }

// KeepAliveOn reports whether SO_KEEPALIVE is set.
func (c Conn) KeepAliveOn() bool { return c.has(keepOn) }

// Retries is how many retransmissions or zero-window probes went out in a row.
func (c Conn) Retries() int {
	if c.has(persisting) {
		return int(c.backoff)
	}
	return int(c.retries)
}

// RTO is the retransmission timeout in force, back-off included.
func (c Conn) RTO() Time { return c.rto }

// SRTT is the smoothed round-trip time; 0 before the first measurement.
func (c Conn) SRTT() Time { return c.srtt }

// Remnant reports whether a record is all that is left of the connection:
// TIME-WAIT, or what FinWait2.Mini leaves of FIN-WAIT-2.
func (c Conn) Remnant(p *Profile) bool {
	return c.State() == tcp.TimeWait || c.mini(p)
}

// ReuseISS is the ISS for a connection that takes a TIME-WAIT's place: beyond
// all that this one has used (RFC 9293 §3.4.1, RFC 1122 §4.2.2.13).
func (c Conn) ReuseISS() tcp.Seq { return c.nxt.Add(65535 + 2) }

func (c *Conn) has(f flag) bool { return c.flags&f == f }
func (c *Conn) set(f flag)      { c.flags |= f }
func (c *Conn) clear(f flag)    { c.flags &^= f }
