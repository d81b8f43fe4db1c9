package observe

import (
	"net/netip"

	"github.com/closewait/closewait/tcp"
)

// Socket is one TCP socket as the kernel described it. Fields that a state has
// no use for are zero.
type Socket struct {
	// NetNS is the ID of the socket's network namespace.
	NetNS uint64 `json:"netns"`
	// Inode is the socket's inode number (the N of "socket:[N]"); 0 for a socket
	// without a file: never accepted, an orphan, or a FIN_WAIT_2 mini-socket.
	Inode uint64 `json:"inode,omitempty"`
	// Cookie is the kernel's name for the socket, never used twice in a boot.
	// 0 where the reader could not learn it.
	Cookie uint64    `json:"cookie,omitempty"`
	State  tcp.State `json:"state"`
	// MPTCP marks a multipath connection, whose queues are not shown.
	MPTCP bool `json:"mptcp,omitempty"`
	// Connected says of an MPTCP socket that it had a connection once, which its
	// segments, those of its subflows, do not tell when it is dead.
	Connected bool `json:"connected,omitempty"`
	// Fallback marks an MPTCP connection that went on as plain TCP.
	Fallback bool `json:"fallback,omitempty"`
	// Local and Remote are as the kernel has them: IPv4-mapped addresses are kept.
	// Remote is unset for LISTEN, and for a dead descriptor that only procfs saw.
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"`
	UID    uint32         `json:"uid"`
	// RecvQ is the bytes received and not read, the FIN counting as one; for
	// LISTEN the connections waiting to be accepted.
	RecvQ uint32 `json:"recv_q"`
	// SendQ is the bytes written and not acknowledged, our FIN counting as one;
	// for LISTEN the longest the queue may be.
	SendQ uint32 `json:"send_q"`
	Timer Timer  `json:"timer"`
	// Shutdown: which directions the application or the peer has shut.
	Shutdown Shutdown `json:"shutdown,omitempty"`
	Info     *Info    `json:"info,omitempty"`
	// Options are the socket's own settings; nil where the reader can't see them.
	Options *Options `json:"options,omitempty"`
	// Holders are the descriptors that refer to this socket.
	Holders []Holder `json:"holders,omitempty"`
	// Unsettled: the process that held it ended, or became another program, during
	// the look, so that nobody can be named. It is not ownerless for that.
	Unsettled bool `json:"unsettled,omitempty"`
	// Died is how a dead connection ended, by the error that still waits for its
	// application; only a BPF reader sees that. Empty if it was taken, or none came.
	Died End `json:"died,omitempty"`
	// History is what the sensor saw of it; nil where none runs or it saw nothing.
	History *History `json:"history,omitempty"`
}

// Holder is one descriptor of one process.
type Holder struct {
	PID int32 `json:"pid"`
	FD  int32 `json:"fd"`
}

// Timer is the socket's pending timer, as idiag_timer tells it. 1 hides 4
// hides 2: a retransmission timer may cover a keepalive one.
type Timer struct {
	Kind TimerKind `json:"kind"`
	// Expires is the time left, in milliseconds.
	Expires Millis `json:"expires_ms,omitempty"`
	// Retries is how often it has fired without an answer.
	Retries uint8 `json:"retries,omitempty"`
}

// TimerKind is which timer runs (include/uapi/linux/inet_diag.h).
type TimerKind uint8

// The timers.
const (
	TimerNone       TimerKind = 0
	TimerRetransmit TimerKind = 1
	TimerKeepalive  TimerKind = 2
	TimerTimeWait   TimerKind = 3
	TimerProbe      TimerKind = 4 // zero-window probe
)

// Shutdown is the two bits of sk_shutdown.
type Shutdown uint8

// The bits of Shutdown.
const (
	ShutdownReceive Shutdown = 1
	ShutdownSend    Shutdown = 2
)

// Info is the part of struct tcp_info that a diagnosis uses.
type Info struct {
	// Time since the last data segment was sent, the last one was received, and
	// the last ACK was processed. A socket that never sent or received data
	// counts from its connection's beginning.
	LastDataSent Millis `json:"last_data_sent_ms"`
	LastDataRecv Millis `json:"last_data_recv_ms"`
	LastAckRecv  Millis `json:"last_ack_recv_ms"`
	// BytesReceived counts the peer's FIN as one; BytesAcked counts our SYN as
	// one on an active open, and our FIN.
	BytesReceived uint64 `json:"bytes_received"`
	BytesSent     uint64 `json:"bytes_sent"`
	BytesAcked    uint64 `json:"bytes_acked"`
	SegsIn        uint32 `json:"segs_in"`
	DataSegsIn    uint32 `json:"data_segs_in"`
	DataSegsOut   uint32 `json:"data_segs_out"`
	// RTO is the present retransmission timeout, back-off included.
	RTO     Millis `json:"rto_ms"`
	Backoff uint8  `json:"backoff,omitempty"`
}

// Options are per-socket settings that only a BPF reader sees. 0 means the
// socket uses its namespace's setting.
type Options struct {
	KeepAlive   bool   `json:"keepalive"`
	KeepIdle    Millis `json:"keepalive_idle_ms,omitempty"`
	KeepIntvl   Millis `json:"keepalive_intvl_ms,omitempty"`
	KeepCnt     uint8  `json:"keepalive_probes,omitempty"`
	UserTimeout Millis `json:"user_timeout_ms,omitempty"`
	// Linger2 is TCP_LINGER2: -1 means FIN_WAIT_2 is skipped.
	Linger2MS int32  `json:"linger2_ms,omitempty"`
	RTOMin    Millis `json:"rto_min_ms,omitempty"`
	RTOMax    Millis `json:"rto_max_ms,omitempty"`
	// RetransSince is how long ago the first unanswered transmission timed out
	// (retrans_stamp), 0 if none has: the retransmission limit counts from it.
	RetransSince Millis `json:"retrans_since_ms,omitempty"`
}

// Dead reports whether s is a descriptor whose connection is gone: it was
// connected once, and the kernel lists it no more. A connection has received at
// least the peer's FIN, or had its own SYN acknowledged; a fresh socket and one
// whose connect was refused have neither. An MPTCP connection's subflows forget
// all that when they end, so its reader tells.
func (s *Socket) Dead() bool {
	if s.MPTCP {
		return s.State == tcp.Closed && s.Connected
	}
	return s.State == tcp.Closed && s.Info != nil && s.Info.SegsIn > 0 &&
		(s.Info.BytesReceived > 0 || s.Info.BytesAcked > 0)
}

// Flow returns the socket's addresses with IPv4-mapped ones unmapped.
func (s *Socket) Flow() tcp.Flow {
	return tcp.Flow{Local: s.Local, Remote: s.Remote}.Unmapped()
}
