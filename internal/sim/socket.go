package sim

import (
	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// socket is what a descriptor leads to, or led to: a connection, a listener, or
// a connection that waits in a listener's queue.
type socket struct {
	conn model.Conn
	flow tcp.Flow
	fds  []FD // lowest first; none: an orphan, or not accepted yet
	id   uint64

	// Of a listener: what waits to be accepted, and how many handshakes it may
	// have completed besides the one that accept would return.
	queue   []*socket
	backlog int

	// listener is the one that the connection came from, until accept returns it.
	listener *socket

	// stray: a handshake of which the listener is gone. It is forgotten with its
	// timer, or with the next segment (Linux, inet_connection_sock.c
	// reqsk_timer_handler, tcp_ipv4.c tcp_v4_rcv).
	stray bool

	// live: the host delivers segments to it and minds its timers.
	live bool

	// The place in the host's deadlines; -1: in none.
	due   model.Time
	place int
}

func (s *socket) fd() FD {
	if len(s.fds) == 0 {
		return NoFD
	}
	return s.fds[0]
}

// full reports whether no more connections may wait to be accepted (Linux,
// sk_acceptq_is_full).
func (s *socket) full() bool { return len(s.queue) > s.backlog }

func (s *socket) row() Row {
	return Row{
		FDs: append([]FD(nil), s.fds...), Flow: s.flow, Conn: s.conn,
		Queued: len(s.queue), Backlog: s.backlog, Waiting: s.listener != nil,
	}
}

// Row is one socket in the list that Host.Sockets returns.
type Row struct {
	// FDs are the descriptors that lead to the socket, lowest first; none for
	// an orphan or a connection that waits to be accepted.
	FDs  []FD
	Flow tcp.Flow
	Conn model.Conn
	// Queued and Backlog are a listener's accept queue and its limit.
	Queued, Backlog int
	// Waiting: in a listener's queue, not accepted.
	Waiting bool
}
