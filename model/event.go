package model

import (
	"fmt"

	"github.com/closewait/closewait/tcp"
)

// Kind says what an Event is. The user calls are those of RFC 9293 §3.9.1, in
// the form sockets gave them.
type Kind uint8

// The kinds of events; each has a function of its name that makes one.
const (
	// KindTick: time has passed; Step looks which deadlines are due.
	KindTick Kind = iota
	// KindArrive: a segment arrives (§3.10.7).
	KindArrive
	// KindOpenActive: connect() (§3.10.1, active).
	KindOpenActive
	// KindOpenPassive: listen() (§3.10.1, passive).
	KindOpenPassive
	// KindWrite: send() (§3.10.2). It never blocks: what does not fit into the
	// send buffer is not taken, and EAGAIN if that is all.
	KindWrite
	// KindRead: recv() (§3.10.3), never blocking.
	KindRead
	// KindPeek: recv(MSG_PEEK): what a read would return, consuming nothing.
	KindPeek
	// KindShutdown: shutdown().
	KindShutdown
	// KindClose: close() of the last descriptor (§3.10.4).
	KindClose
	// KindAbort: close() with SO_LINGER 0, at once (§3.10.5).
	KindAbort
	// KindExit: the application exits with whatever it has not read. For the
	// connection this is a close(), unless SO_LINGER 0 makes it an abort.
	KindExit
	// KindDestroy: an administrator ends the connection under its application:
	// Linux's SOCK_DESTROY (ss -K), BSD's tcpdrop.
	KindDestroy
	// KindStatus: what the connection's state is (§3.10.6); changes nothing.
	KindStatus
	// KindGetError: getsockopt(SO_ERROR): returns the pending error and clears it.
	KindGetError
	// KindKeepAlive: SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT.
	KindKeepAlive
	// KindUserTimeout: TCP_USER_TIMEOUT (RFC 5482).
	KindUserTimeout
	// KindLinger: SO_LINGER; only 0 seconds changes what close does here.
	KindLinger
	// KindLinger2: TCP_LINGER2, how long an orphan stays in FIN-WAIT-2 (Linux).
	KindLinger2
	// KindNoDelay: TCP_NODELAY: turns Nagle's algorithm off, where a profile has it.
	KindNoDelay
	kinds // how many there are
)

var kindNames = [kinds]string{
	"tick", "arrive", "open-active", "open-passive", "write", "read", "peek", "shutdown", "close", "abort",
	"exit", "destroy", "status", "get-error", "keepalive", "user-timeout", "linger", "linger2", "nodelay",
}

// String returns the kind's name: "open-active".
func (k Kind) String() string {
	if k < kinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind-%d", uint8(k))
}

// How is the direction that a shutdown() closes.
type How uint8

// The directions of shutdown().
const (
	// ShutRead: SHUT_RD.
	ShutRead How = 1 << iota
	// ShutWrite: SHUT_WR, the half-close of RFC 9293 §3.6.
	ShutWrite
	// ShutBoth: SHUT_RDWR.
	ShutBoth = ShutRead | ShutWrite
)

// Event is one thing that happens to a connection. Make it with one of the
// functions below; the zero Event is a Tick.
type Event struct {
	Segment tcp.Segment // KindArrive
	// ISS is the initial send sequence number for a connection that this event
	// begins: KindOpenActive, and KindArrive of a SYN in LISTEN.
	ISS tcp.Seq
	// N is the octets of KindWrite, and how many KindRead and KindPeek ask for.
	N uint32
	// Idle and Interval are KindKeepAlive's; 0 leaves a value as it is. Idle is
	// also the span of KindUserTimeout, KindLinger and KindLinger2.
	Idle, Interval Time
	// Probes is KindKeepAlive's count; 0 leaves it as it is.
	Probes uint8
	How    How
	// Listening says of KindArrive that a listener lives at this local port:
	// then a new SYN may take a TIME-WAIT's place.
	Listening bool
	On        bool // KindKeepAlive, KindLinger, KindNoDelay
	Kind      Kind
}

// Tick tells a connection that it is now.
func Tick() Event { return Event{} }

// Arrive delivers a segment. In LISTEN use ArriveAt, which brings an ISS.
func Arrive(s tcp.Segment) Event { return Event{Kind: KindArrive, Segment: s} }

// ArriveAt delivers a segment, with the ISS to use should it open a connection.
func ArriveAt(s tcp.Segment, iss tcp.Seq) Event {
	return Event{Kind: KindArrive, Segment: s, ISS: iss}
}

// OpenActive is connect(), with the initial send sequence number to use.
func OpenActive(iss tcp.Seq) Event { return Event{Kind: KindOpenActive, ISS: iss} }

// OpenPassive is listen().
func OpenPassive() Event { return Event{Kind: KindOpenPassive} }

// Write is send() of n octets.
func Write(n uint32) Event { return Event{Kind: KindWrite, N: n} }

// Read is recv() of at most n octets.
func Read(n uint32) Event { return Event{Kind: KindRead, N: n} }

// Peek is recv(MSG_PEEK) of at most n octets.
func Peek(n uint32) Event { return Event{Kind: KindPeek, N: n} }

// Shutdown is shutdown().
func Shutdown(how How) Event { return Event{Kind: KindShutdown, How: how} }

// Close is close() of the last descriptor.
func Close() Event { return Event{Kind: KindClose} }

// Abort is close() with SO_LINGER 0.
func Abort() Event { return Event{Kind: KindAbort} }

// Exit is the end of the application, whatever it has not read.
func Exit() Event { return Event{Kind: KindExit} }

// Destroy ends the connection under its application.
func Destroy() Event { return Event{Kind: KindDestroy} }

// Status asks for the state, and changes nothing.
func Status() Event { return Event{Kind: KindStatus} }

// GetError reads and clears the pending error.
func GetError() Event { return Event{Kind: KindGetError} }

// KeepAlive sets SO_KEEPALIVE, and the timing where it is not 0.
func KeepAlive(on bool, idle, interval Time, probes uint8) Event {
	return Event{Kind: KindKeepAlive, On: on, Idle: idle, Interval: interval, Probes: probes}
}

// UserTimeout sets how long sent data may stay unacknowledged; 0 is the
// profile's own rule.
func UserTimeout(after Time) Event { return Event{Kind: KindUserTimeout, Idle: after} }

// Linger sets SO_LINGER. On with 0 makes every close an abort.
func Linger(on bool, after Time) Event { return Event{Kind: KindLinger, On: on, Idle: after} }

// Linger2 sets TCP_LINGER2: below 0 an orphan never waits in FIN-WAIT-2, 0 is
// the profile's own time.
func Linger2(after Time) Event { return Event{Kind: KindLinger2, Idle: after} }

// NoDelay sets TCP_NODELAY.
func NoDelay(on bool) Event { return Event{Kind: KindNoDelay, On: on} }
