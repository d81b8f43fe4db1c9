package act

import (
	"net/netip"
	"slices"

	"github.com/closewait/closewait/tcp"
)

// Target is the one socket that may be touched, as it was when somebody found it
// stuck.
type Target struct {
	// Cookie names the socket; 0 is refused.
	Cookie uint64
	// Inode is the N of its "socket:[N]"; 0 for one without a file.
	Inode uint64
	// Local and Remote are as the kernel has them: IPv4-mapped addresses are kept.
	Local, Remote netip.AddrPort
	State         tcp.State
	// RecvQ and SendQ are what sock_diag said of its queues.
	RecvQ, SendQ uint32
	// Moved is what had been sent, ACKed and received.
	Moved Moved
	// Device is the number of the network device that the socket is bound to, as a
	// Sight told it; Unbound for none, and 0 where that is not known.
	Device int
	// Unaccepted allows to destroy a socket that was never accepted.
	Unaccepted bool
}

// Unbound is the Device of a socket that is bound to none.
const Unbound = -1

// Moved counts a connection's bytes as struct tcp_info does.
type Moved struct{ Sent, Acked, Received uint64 }

// Sight is a socket at one moment.
type Sight struct {
	State tcp.State
	// Unread is the bytes of data received and not read, the FIN not counted; SendQ
	// what waits to be sent or ACKed.
	Unread, SendQ uint32
	Moved         Moved
	// Milliseconds since the last ACK came: a moment after a keepalive probe, a
	// short time means that the peer has answered.
	LastAckRecv uint32
	// Unanswered counts the keepalive or zero-window probes without an answer.
	Unanswered uint8
	// Inode is 0 where the sight is by descriptor.
	Inode uint64
	// Device is for a later Target.
	Device int
}

// states of a connection that may be touched, by the act.
var (
	mayShutDown = []tcp.State{tcp.CloseWait}
	// A keepalive probe is only sent while nothing else is unacknowledged
	// (tcp_keepalive_timer), so it does nothing once a FIN waits for its ACK.
	mayProbe   = []tcp.State{tcp.CloseWait, tcp.FinWait2}
	mayDestroy = []tcp.State{tcp.CloseWait, tcp.FinWait1, tcp.FinWait2, tcp.Closing, tcp.LastAck}
)

// check compares the target with what is there now.
func (t *Target) check(now *Sight, may []tcp.State) error {
	switch {
	case now.State == tcp.Closed || now.State == tcp.TimeWait:
		return ErrEnded
	case now.State != t.State || !slices.Contains(may, now.State):
		return &StateError{Seen: t.State, Now: now.State}
	case t.moved(now):
		return ErrInUse
	}
	return nil
}

// moved reports whether the connection was used since the target was seen:
// something was written, ACKed, received or read. What is sent counts only where
// nothing was queued before: retransmissions and zero-window probes are counted as
// sent too (tp->bytes_sent, net/ipv4/tcp_output.c). What is written behind them makes
// the queue longer, which nothing else does.
func (t *Target) moved(now *Sight) bool {
	return now.Moved.Acked != t.Moved.Acked || now.Moved.Received != t.Moved.Received ||
		t.SendQ == 0 && now.Moved.Sent != t.Moved.Sent || now.SendQ > t.SendQ ||
		now.Unread < unread(t.State, t.RecvQ)
}

// unread is the data in a Recv-Q, in which the FIN counts as one.
func unread(s tcp.State, recvQ uint32) uint32 {
	if s.FinReceived() && recvQ > 0 {
		return recvQ - 1
	}
	return recvQ
}
