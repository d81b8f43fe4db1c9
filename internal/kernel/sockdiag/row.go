//go:build linux

package sockdiag

import (
	"net/netip"

	"github.com/closewait/closewait/tcp"
)

// ID is what the kernel tells sockets apart by.
type ID struct {
	// Local and Remote are as the kernel has them: IPv4-mapped IPv6 addresses are
	// kept, zones are not written (see Interface). Remote is the unspecified
	// address and port 0 for LISTEN.
	Local, Remote netip.AddrPort
	// Interface is the index of the device the socket is bound to, 0 for none.
	// Sockets with link-local addresses always have one.
	Interface uint32
	// Cookie is the number SO_COOKIE shows, unique for the life of the kernel.
	// 0 means not known.
	Cookie uint64
}

// Row is one socket.
type Row struct {
	ID
	Family Family
	State  tcp.State
	// Timer is the pending timer and Retrans how often it fired unanswered
	// (idiag_timer: 0 none, 1 retransmission, 2 keepalive, 3 timewait, 4
	// zero-window probe; 1 hides 4 hides 2). Expires is the time left in
	// milliseconds.
	Timer, Retrans uint8
	Expires        uint32
	// RQueue is the bytes not read yet, the peer's FIN counting as one; WQueue the
	// bytes not acknowledged yet. For LISTEN: connections waiting for accept, and
	// how many may wait.
	RQueue, WQueue uint32
	// UID is the socket's owner in the reader's user namespace. Inode is 0 for a
	// socket without a file: not accepted yet, orphaned, or a mini-socket.
	UID, Inode uint32
	// Shutdown is sk_shutdown: 1 receiving, 2 sending.
	Shutdown    uint8
	HasShutdown bool
	// CgroupID is the cgroup v2 the socket was made in; 0 when not told.
	CgroupID uint64
	SockOpt  SockOpt
	// V6Only is IPV6_V6ONLY of a LISTEN socket.
	V6Only bool
	// ULP is the protocol above TCP that the kernel runs for the socket. Told
	// only to readers with CAP_NET_ADMIN, and with Query.Info.
	ULP ULP
	// MPTCP marks a row of an MPTCP dump. Its queues are 0 even with data unread,
	// and Info holds only what struct mptcp_info has.
	MPTCP bool
	// Info is valid when HasInfo is set: Query.Info was, and the socket is neither
	// a timewait nor a request mini-socket.
	HasInfo bool
	Info    TCPInfo
}

// Family is an address family.
type Family uint8

// The families. Both reads the two in one pass over the kernel's table.
const (
	Both Family = 0
	IPv4 Family = 2  // AF_INET
	IPv6 Family = 10 // AF_INET6
)

// SockOpt is the flags of struct inet_diag_sockopt (Linux 5.10).
type SockOpt uint16

// ULP is a kernel upper-layer protocol (/proc/sys/net/ipv4/tcp_available_ulp).
type ULP uint8

// The upper-layer protocols. ULPMPTCP marks a subflow of an MPTCP connection,
// which has a row of its own in an MPTCP dump.
const (
	ULPNone ULP = iota
	ULPTLS
	ULPMPTCP
	ULPOther
)
