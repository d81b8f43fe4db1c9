package sim

import (
	"net/netip"
	"slices"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// Socket is socket(): a new descriptor.
func (h *Host) Socket() FD {
	s := h.newSocket()
	s.flow.Local = netip.AddrPortFrom(h.addr, 0)
	return h.open(s)
}

// Bind is bind() to a local port; 0 picks an ephemeral one.
func (h *Host) Bind(fd FD, port uint16) model.Errno {
	s, ok := h.fds[fd]
	switch {
	case !ok:
		return model.EBADF
	case s.flow.Local.Port() != 0 || s.conn.State() != tcp.Closed:
		return model.EINVAL
	case port != 0 && h.listeners[port] != nil:
		return model.EADDRINUSE
	case port == 0:
		port = h.ephemeral(netip.AddrPort{})
	}
	if port == 0 {
		return model.EADDRINUSE
	}
	s.flow.Local = netip.AddrPortFrom(h.addr, port)
	return model.OK
}

// Listen is listen(). The accept queue holds backlog+1 connections, as on
// Linux; when it is full, handshakes do not complete.
func (h *Host) Listen(fd FD, backlog int) model.Errno {
	s, ok := h.fds[fd]
	if !ok {
		return model.EBADF
	}
	port := s.flow.Local.Port()
	if port == 0 {
		if err := h.Bind(fd, 0); err != model.OK {
			return err
		}
		port = s.flow.Local.Port()
	}
	if other := h.listeners[port]; other != nil && other != s {
		return model.EADDRINUSE
	}
	s.backlog = max(backlog, 0)
	if h.listeners[port] == s {
		return model.OK
	}
	if res := h.step(h.now, s, model.OpenPassive()).Result; res.Err != model.OK {
		return res.Err
	}
	h.listeners[port] = s
	return model.OK
}

// Connect is connect(), never blocking: EINPROGRESS, and later a Change that
// says Connected or Failed.
func (h *Host) Connect(now model.Time, fd FD, to netip.AddrPort) (model.Result, []Packet) {
	h.out = h.out[:0]
	s, ok := h.fds[fd]
	if !ok {
		return refused(model.KindOpenActive, model.EBADF), nil
	}
	if s.conn.State() != tcp.Closed {
		return h.step(now, s, model.OpenActive(0)).Result, h.out
	}
	if next, fx := model.Step(&h.Profile, s.conn, model.OpenActive(0), now); fx.Result.Err != model.EINPROGRESS {
		s.conn = next
		return fx.Result, nil
	}
	iss, err := h.address(s, to)
	if err != model.OK {
		return refused(model.KindOpenActive, err), nil
	}
	h.enter(s)
	return h.step(now, s, model.OpenActive(iss)).Result, h.out
}

// address completes a flow for connect, both its ends, and returns where its
// sequence numbers begin. No other connection may have the same addresses, but
// for one of which no more than a record is left, where the stack replaces that.
func (h *Host) address(s *socket, to netip.AddrPort) (iss tcp.Seq, _ model.Errno) {
	port := s.flow.Local.Port()
	if port == 0 {
		port = h.ephemeral(to)
	}
	flow := tcp.Flow{Local: netip.AddrPortFrom(h.addr, port), Remote: to}
	if port == 0 {
		return 0, model.EADDRINUSE
	}
	other := h.conns[flow]
	switch {
	case other == nil:
		iss = h.issue()
	case h.Profile.TimeWait.ConnectReplaces && other.conn.Remnant(&h.Profile):
		iss = other.conn.ReuseISS()
		h.drop(other)
	case h.Profile.AddressTaken != model.OK:
		return 0, h.Profile.AddressTaken
	default:
		return 0, model.EADDRINUSE
	}
	s.flow = flow
	return iss, model.OK
}

// ephemeral picks a local port from which nothing leads to the remote address;
// 0 if there is none.
func (h *Host) ephemeral(to netip.AddrPort) uint16 {
	for range 1<<16 - firstPort {
		port := h.nextPort
		h.nextPort++
		if h.nextPort == 0 {
			h.nextPort = firstPort
		}
		flow := tcp.Flow{Local: netip.AddrPortFrom(h.addr, port), Remote: to}
		if h.conns[flow] == nil && h.listeners[port] == nil {
			return port
		}
	}
	return 0
}

// Accept is accept(), never blocking: EAGAIN when the queue is empty.
func (h *Host) Accept(_ model.Time, fd FD) (FD, model.Errno) {
	l, ok := h.fds[fd]
	switch {
	case !ok:
		return NoFD, model.EBADF
	case l.conn.State() != tcp.Listen:
		return NoFD, model.EINVAL
	case len(l.queue) == 0:
		return NoFD, model.EAGAIN
	}
	s := l.queue[0]
	l.queue = slices.Delete(l.queue, 0, 1)
	s.listener = nil
	return h.open(s), model.OK
}

// Call is any other user call on a descriptor. KindClose, KindAbort and
// KindExit also give the descriptor back; a connection shared by Dup lives on
// until its last descriptor goes.
func (h *Host) Call(now model.Time, fd FD, e model.Event) (model.Result, []Packet) {
	h.out = h.out[:0]
	s, ok := h.fds[fd]
	if !ok {
		return refused(e.Kind, model.EBADF), nil
	}
	switch e.Kind {
	case model.KindArrive, model.KindTick, model.KindOpenActive, model.KindOpenPassive:
		return refused(e.Kind, model.EINVAL), nil
	case model.KindClose, model.KindAbort, model.KindExit:
		return h.close(now, fd, e), h.out
	}
	return h.step(now, s, e).Result, h.out
}

// close gives a descriptor back, and with the last one closes the connection.
func (h *Host) close(now model.Time, fd FD, e model.Event) model.Result {
	s := h.fds[fd]
	delete(h.fds, fd)
	s.fds = slices.DeleteFunc(s.fds, func(have FD) bool { return have == fd })
	if len(s.fds) > 0 {
		return model.Result{Call: e.Kind}
	}
	listened := s.conn.State() == tcp.Listen
	res := h.step(now, s, e).Result
	if listened {
		h.closeQueue(now, s)
	}
	return res
}

// closeQueue ends what a listener leaves behind: connections that wait to be
// accepted are reset, and handshakes under way go on for nobody.
func (h *Host) closeQueue(now model.Time, l *socket) {
	for _, s := range l.queue {
		s.listener = nil
		h.step(now, s, model.Abort())
	}
	l.queue = nil
	for _, s := range h.conns {
		if s.listener == l {
			s.listener, s.stray = nil, true
		}
	}
}

// Dup is dup(), or what fork() does: one more descriptor for the same socket.
func (h *Host) Dup(fd FD) (FD, model.Errno) {
	s, ok := h.fds[fd]
	if !ok {
		return NoFD, model.EBADF
	}
	return h.open(s), model.OK
}

// Exit ends the application: every descriptor is closed, in order.
func (h *Host) Exit(now model.Time) []Packet {
	h.out = h.out[:0]
	all := make([]FD, 0, len(h.fds))
	for fd := range h.fds {
		all = append(all, fd)
	}
	slices.Sort(all)
	for _, fd := range all {
		h.close(now, fd, model.Exit())
	}
	return h.out
}

func refused(call model.Kind, err model.Errno) model.Result {
	return model.Result{Call: call, Err: err}
}
