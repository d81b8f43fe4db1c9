package sim

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// FD is a descriptor of a Host's application.
type FD int32

// NoFD stands for "no descriptor".
const NoFD FD = -1

// Host is one machine: an application's descriptors, and the connections of
// its TCP, among them those that no descriptor leads to: not yet accepted, or
// left behind by close (orphans).
//
// Slices of packets that methods return are valid until the next call.
type Host struct {
	// Name is for people.
	Name string
	// Profile is the host's stack. Change it before the first call only.
	Profile model.Profile
	// Watch, if not nil, is told of every change as it happens.
	Watch func(Change)

	addr      netip.Addr
	fds       map[FD]*socket
	conns     map[tcp.Flow]*socket
	listeners map[uint16]*socket
	due       deadlines
	out       []Packet
	nextFD    FD
	nextPort  uint16
	nextISS   tcp.Seq
	now       model.Time // of the last call, for those that bring none
	nextID    uint64
}

// Change is one connection's change of state, or what its application would
// notice.
type Change struct {
	At       model.Time
	FD       FD // NoFD: no descriptor leads there
	Flow     tcp.Flow
	From, To tcp.State // equal if only Notes are new
	Notes    model.Notes
	// Conn is the connection after the change.
	Conn model.Conn
}

// firstPort is where ephemeral ports begin (RFC 6335 §6).
const firstPort = 49152

// issStep is how far the initial sequence numbers of two connections lie apart:
// further than any connection sends here, and easy to tell apart when read.
const issStep = 1_000_000

// NewHost returns a host without sockets. Descriptors count from 3, as for a
// program that has its standard streams open.
func NewHost(name string, addr netip.Addr, p model.Profile) *Host {
	return &Host{
		Name: name, Profile: p, addr: addr,
		fds: map[FD]*socket{}, conns: map[tcp.Flow]*socket{}, listeners: map[uint16]*socket{},
		nextFD: 3, nextPort: firstPort,
	}
}

// Addr is the host's address.
func (h *Host) Addr() netip.Addr { return h.addr }

// StartISS sets the initial sequence number of the next connection; the first is
// 0 otherwise, and each that follows is 1,000,000 further.
func (h *Host) StartISS(iss tcp.Seq) { h.nextISS = iss }

// NextDeadline returns when the next timer is due, and whether one is on.
func (h *Host) NextDeadline() (model.Time, bool) { return h.due.next() }

// Tick fires the timers that are due.
func (h *Host) Tick(now model.Time) []Packet {
	h.out = h.out[:0]
	for {
		at, on := h.due.next()
		if !on || at > now {
			return h.out
		}
		if s := h.due.heap[0]; s.stray {
			h.drop(s)
			continue
		}
		h.step(now, h.due.heap[0], model.Tick())
	}
}

// Conn returns the connection that a descriptor leads to.
func (h *Host) Conn(fd FD) (model.Conn, bool) {
	s, ok := h.fds[fd]
	if !ok {
		return model.Conn{}, false
	}
	return s.conn, true
}

// Flow returns the addresses of a descriptor's connection; a listener has no
// remote one.
func (h *Host) Flow(fd FD) (tcp.Flow, bool) {
	s, ok := h.fds[fd]
	if !ok {
		return tcp.Flow{}, false
	}
	return s.flow, true
}

// Find returns the connection of a flow, also one without a descriptor. One
// that has ended is not found.
func (h *Host) Find(flow tcp.Flow) (model.Conn, bool) {
	s, ok := h.conns[flow]
	if !ok {
		return model.Conn{}, false
	}
	return s.conn, true
}

// Sockets lists all sockets in the order they were made, dead descriptors
// (in CLOSED) included.
func (h *Host) Sockets() []Row {
	seen := map[*socket]bool{}
	for _, s := range h.fds {
		seen[s] = true
		for _, waiting := range s.queue {
			seen[waiting] = true
		}
	}
	for _, s := range h.conns {
		seen[s] = true
	}
	all := slices.SortedFunc(maps.Keys(seen), func(a, b *socket) int { return cmp.Compare(a.id, b.id) })
	rows := make([]Row, len(all))
	for i, s := range all {
		rows[i] = s.row()
	}
	return rows
}

// step steps a socket's connection and does what follows from it for the host.
func (h *Host) step(now model.Time, s *socket, e model.Event) model.Effects {
	h.now = max(h.now, now)
	before := s.conn.State()
	next, fx := model.Step(&h.Profile, s.conn, e, now)
	s.conn = next
	for _, seg := range fx.Segments() {
		h.out = append(h.out, Packet{From: s.flow.Local, To: s.flow.Remote, Segment: seg})
	}
	after := next.State()
	if h.Watch != nil && (before != after || fx.Notes != 0) {
		h.Watch(Change{At: now, FD: s.fd(), Flow: s.flow, From: before, To: after, Notes: fx.Notes, Conn: next})
	}
	if s.listener != nil {
		h.tend(s, fx.Notes)
	}
	if after == tcp.Closed && before != tcp.Closed {
		h.forget(s)
	}
	at, on := next.NextDeadline()
	h.due.set(s, at, on && s.live)
	return fx
}

// tend looks after a connection that its listener has not handed out yet.
func (h *Host) tend(s *socket, notes model.Notes) {
	switch {
	case notes.Has(model.Relisten):
		// The listener goes on listening; what was half open is gone.
		s.listener = nil
		h.leave(s)
	case notes.Has(model.Connected):
		s.listener.queue = append(s.listener.queue, s)
	}
	if notes.Has(model.Ended) && s.listener != nil && !h.Profile.AcceptsDead {
		l := s.listener
		l.queue = slices.DeleteFunc(l.queue, func(q *socket) bool { return q == s })
	}
}

// forget takes a connection that has ended off the wire. Its descriptors stay,
// and lead to a dead socket.
func (h *Host) forget(s *socket) {
	h.leave(s)
	if h.listeners[s.flow.Local.Port()] == s {
		delete(h.listeners, s.flow.Local.Port())
	}
}

// enter puts a connection on the wire.
func (h *Host) enter(s *socket) {
	h.conns[s.flow] = s
	s.live = true
}

// leave takes a connection off the wire.
func (h *Host) leave(s *socket) {
	if s.live {
		delete(h.conns, s.flow)
		s.live = false
	}
}

// drop forgets a connection without a word.
func (h *Host) drop(s *socket) {
	h.due.set(s, 0, false)
	h.leave(s)
}

// issue returns the initial sequence number of a new connection.
func (h *Host) issue() tcp.Seq {
	iss := h.nextISS
	h.nextISS = iss.Add(issStep)
	return iss
}

// newSocket returns a socket that nothing leads to yet.
func (h *Host) newSocket() *socket {
	h.nextID++
	return &socket{conn: model.NewConn(&h.Profile), id: h.nextID, place: -1}
}

// open gives a socket a descriptor.
func (h *Host) open(s *socket) FD {
	fd := h.nextFD
	h.nextFD++
	h.fds[fd] = s
	s.fds = append(s.fds, fd)
	return fd
}
