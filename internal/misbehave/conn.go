package misbehave

import (
	"net/netip"

	"github.com/closewait/closewait/tcp"
)

// Conn is one socket of a program, as the kernel confirmed it when its script
// ended (or when the last command on it did).
type Conn struct {
	Local, Remote netip.AddrPort
	State         tcp.State
	// Cause is the id that a diagnosis must give it once it is older than the
	// grace period; "" when there is nothing to say.
	Cause string
	// Culprit is true on the misbehaving side. The peer's sockets are half-closed
	// too, mostly: the record tells the truth about them as well.
	Culprit bool
	// Inbound is true for a socket that was accepted, or waits to be.
	Inbound bool
	// Leg is "main", or "upstream" for a relay's connection to its server.
	Leg string
	// PID and FD hold the socket. Both are 0 and -1 when nobody does; for a
	// connection that was never accepted PID is the listener's, and FD -1.
	PID, FD int
	// AlsoHeldBy are further processes with the same socket (Spec.Shared).
	AlsoHeldBy []Holder
	// Inode is 0 for a socket without a file. Cookie is the kernel's name for it; an
	// accepted Multipath TCP socket has its listener's (seen on Linux 6.18).
	Inode, Cookie uint64
	// RecvQ and SendQ as sock_diag has them: a FIN counts as one byte. Where data
	// flows they are of a moment.
	RecvQ, SendQ uint32
	// Timer is idiag_timer: 1 retransmission, 2 keepalive, 3 time-wait, 4
	// zero-window probe.
	Timer uint8
	MPTCP bool
}

// Holder is one descriptor of one process.
type Holder struct{ PID, FD int }
