package observe

import (
	"net/netip"
	"time"

	"github.com/closewait/closewait/tcp"
)

// Happening is one thing that the sensor saw happen to a connection.
type Happening struct {
	Kind HappeningKind
	At   time.Time
	// NetNS and Cookie name the connection as Socket's do.
	NetNS, Cookie uint64
	State         tcp.State
	Local, Remote netip.AddrPort
	// PID and Comm are the process that did it; 0 and empty where none here did.
	PID  int
	Comm string
	// Exiting: it was done while that process ended, by the kernel in its stead.
	Exiting bool
	// Held: it ended, and a descriptor remained.
	Held bool
	// Unread is how many bytes nobody had read when the FIN came.
	Unread int
	// History is all that is remembered of it; of the stacks those that are named
	// already.
	History History
	// Lost is how many happenings a HappenedLost stands for.
	Lost uint64
}

// HappeningKind says what a Happening tells.
type HappeningKind string

// The kinds.
const (
	// HappenedZero: a read returned zero for the first time.
	HappenedZero HappeningKind = "zero"
	// HappenedEnd: a half-closed connection ended, or any whose descriptor remains.
	HappenedEnd HappeningKind = "ended"
	// HappenedRelease: the descriptor that had remained is closed.
	HappenedRelease HappeningKind = "released"
	// HappenedLost: some came faster than they were read.
	HappenedLost HappeningKind = "lost"
)
