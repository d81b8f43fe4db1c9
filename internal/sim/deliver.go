package sim

import (
	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// Deliver hands the host a packet from the link: to the connection of its four
// numbers, else to the listener of its port, else it is answered as RFC 9293
// §3.10.7.1 says.
func (h *Host) Deliver(now model.Time, p Packet) []Packet {
	h.out = h.out[:0]
	flow := tcp.Flow{Local: p.To, Remote: p.From}
	listener := h.listeners[p.To.Port()]
	if p.To.Addr() != h.addr {
		return nil
	}
	e := model.Arrive(p.Segment)
	e.Listening = listener != nil
	s := h.conns[flow]
	if s != nil && s.stray {
		h.drop(s)
		s = nil
	}
	if s != nil {
		h.arrive(now, s, listener, e)
		return h.out
	}
	if listener != nil {
		h.greet(now, listener, flow, e)
		return h.out
	}
	if rst, ok := model.ResetFor(p.Segment); ok {
		h.out = append(h.out, Packet{From: p.To, To: p.From, Segment: rst})
	}
	return h.out
}

// arrive gives a segment to its connection.
func (h *Host) arrive(now model.Time, s, listener *socket, e model.Event) {
	if s.listener != nil && s.conn.State() == tcp.SynReceived && s.listener.full() && !e.Segment.Has(tcp.RST) {
		return // Linux: the ACK is dropped, and the SYN|ACK comes again.
	}
	reuse := s.conn.ReuseISS()
	fx := h.step(now, s, e)
	if fx.Notes.Has(model.Reopen) && listener != nil {
		e.ISS = reuse
		h.spawn(now, listener, s.flow, e)
	}
}

// greet gives a listener a segment that belongs to no connection.
func (h *Host) greet(now model.Time, l *socket, flow tcp.Flow, e model.Event) {
	opens := e.Segment.Has(tcp.SYN) && !e.Segment.Flags.Any(tcp.ACK|tcp.RST)
	if opens && l.full() {
		return // Linux: a SYN for a full queue is dropped, and comes again.
	}
	if opens {
		e.ISS = h.issue()
	}
	h.spawn(now, l, flow, e)
}

// spawn lets a copy of the listener's connection take a segment: if it leaves
// LISTEN, it is a new connection.
func (h *Host) spawn(now model.Time, l *socket, flow tcp.Flow, e model.Event) {
	before := l.conn
	child, fx := model.Step(&h.Profile, before, e, now)
	for _, seg := range fx.Segments() {
		h.out = append(h.out, Packet{From: flow.Local, To: flow.Remote, Segment: seg})
	}
	if child.State() == tcp.Listen {
		return
	}
	s := h.newSocket()
	s.conn, s.flow, s.listener = child, flow, l
	h.enter(s)
	if h.Watch != nil {
		h.Watch(Change{At: now, FD: NoFD, Flow: flow, From: tcp.Listen, To: child.State(), Notes: fx.Notes, Conn: child})
	}
	at, on := child.NextDeadline()
	h.due.set(s, at, on)
}
