package model

import "github.com/closewait/closewait/tcp"

// options are the flags that belong to the socket and not to one connection.
const options = keepOn | lingerZero | noDelay

// openActive is §3.10.1: connect(). CLOSED goes to SYN-SENT.
func (s *step) openActive(iss tcp.Seq) {
	c := s.c
	switch {
	case c.state == tcp.SynSent:
		s.fail(EALREADY)
		return
	case c.state != tcp.Closed || c.has(detached) || s.p.ConnectOnce && c.has(synced):
		s.fail(EISCONN)
		return
	case s.p.ConnectOnce && c.has(wasOpen|finQueued):
		s.fail(EINVAL)
		return
	case s.p.ConnectOnce && c.has(wasOpen):
		s.fail(ECONNABORTED)
		if c.soErr != OK {
			s.fail(s.takeError())
		}
		s.fresh()
		return
	}
	s.fresh()
	s.begin(iss)
	c.set(wasOpen)
	c.state = tcp.SynSent
	s.sendSyn()
	s.fail(EINPROGRESS)
}

// openPassive is §3.10.1: listen(). CLOSED goes to LISTEN.
func (s *step) openPassive() {
	if s.c.state == tcp.Listen {
		return
	}
	if s.c.state != tcp.Closed || s.c.has(detached) {
		s.fail(EISCONN)
		return
	}
	s.fresh()
	s.c.state = tcp.Listen
}

// fresh forgets the connection that a socket had before, and keeps its options.
func (s *step) fresh() {
	c := s.c
	c.flags &= options
	c.iss, c.una, c.nxt, c.end, c.irs, c.rcvNxt, c.adv, c.copied = 0, 0, 0, 0, 0, 0, 0, 0
	c.endErr = OK
}

// write is §3.10.2: send().
func (s *step) write(n uint32) {
	c := s.c
	switch {
	case c.soErr != OK && !s.p.PipeBeforeError:
		s.fail(s.takeError())
		return
	case c.state == tcp.Listen || c.state == tcp.Closed && !c.has(wasOpen):
		s.fail(ENOTCONN)
		if s.p.UnconnectedWrite != OK {
			s.fail(s.p.UnconnectedWrite)
		}
		return
	case c.has(detached) || c.has(finQueued) || c.state == tcp.Closed:
		s.fail(EPIPE) // "error: connection closing"
		return
	case c.in(opening) && s.p.OpeningWrite != OK:
		s.fail(s.p.OpeningWrite)
		return
	}
	room := uint32(0)
	if used := c.backlog(); used < c.sndBuf {
		room = c.sndBuf - used
	}
	taken := min(n, room)
	if taken == 0 && n > 0 {
		s.fail(EAGAIN)
		return
	}
	c.end = c.end.Add(taken)
	s.fx.Result.N = taken
}

// read is §3.10.3: recv(). What was queued before the FIN comes first, then the
// return of zero (C2).
func (s *step) read(n uint32, peek bool) {
	c := s.c
	if c.has(detached) {
		s.fail(EBADF)
		return
	}
	if n == 0 {
		return
	}
	if unread := c.Unread(); unread > 0 {
		s.fx.Result.N = min(n, unread)
		if !peek {
			s.consume(s.fx.Result.N)
		}
		return
	}
	switch {
	case c.has(finHere) && (s.p.EOFBeforeError || c.soErr == OK):
		s.readZero(peek)
	case c.soErr != OK:
		s.fail(s.takeError())
	case c.has(readShut) || c.state == tcp.Closed && c.has(wasOpen):
		s.fx.Result.zero = true
	case c.in(unborn):
		s.fail(ENOTCONN)
	default:
		s.fail(EAGAIN)
	}
}

// consume takes n octets out of the receive buffer. The read that takes the
// last one steps over a FIN that is here already, as kernels do.
func (s *step) consume(n uint32) {
	c := s.c
	c.copied = c.copied.Add(n)
	if c.has(finHere) && c.Unread() == 0 {
		c.copied = c.rcvNxt
	}
	s.windowUpdate()
}

// readZero is the return of zero: the peer has closed.
func (s *step) readZero(peek bool) {
	s.fx.Result.zero = true
	if peek {
		return
	}
	s.c.copied = s.c.rcvNxt
	s.c.set(readTold)
}

// shutdown is shutdown(): RFC 9293 §3.6's half-close for the sending side. The
// receiving side has no counterpart on the wire.
func (s *step) shutdown(how How) {
	c := s.c
	switch {
	case how == 0 || how > ShutBoth:
		s.fail(EINVAL)
		return
	case c.in(unborn) || c.state == tcp.TimeWait || c.has(detached):
		s.fail(ENOTCONN)
		if c.state == tcp.Closed && s.p.ShutdownSticks {
			s.stick(how)
		}
		return
	case c.state == tcp.SynSent && s.p.ShutdownDisconnects:
		s.end(ECONNRESET)
		err := c.soErr
		s.fresh()
		c.soErr = err
		return
	}
	if how&ShutRead != 0 {
		c.set(readShut)
		if s.p.ReadShutDiscards {
			s.discardUnread()
		}
	}
	if how&ShutWrite != 0 {
		if c.state == tcp.FinWait2 && s.p.ShutdownAgainEnds {
			c.set(readShut)
		}
		s.closeWriting()
	}
	s.startFinWait()
}

// stick remembers the shutdown of a socket that is not connected.
func (s *step) stick(how How) {
	c := s.c
	if how&ShutRead != 0 {
		c.set(readShut)
	}
	if c.has(wasOpen) && !c.has(synced) {
		c.set(finQueued) // "disconnecting": no connect() leads out of that
	}
}

// closeWriting is what §3.10.4, CLOSE, does on the wire. ESTABLISHED goes to
// FIN-WAIT-1, CLOSE-WAIT to LAST-ACK (C6); where a FIN is out already there is
// no second one.
func (s *step) closeWriting() {
	c := s.c
	switch c.state {
	case tcp.SynSent:
		s.end(OK) // "Delete the TCB."
		return
	case tcp.SynReceived:
		if c.end == c.iss.Add(1) && (!s.p.ShutdownWaits || c.has(detached)) {
			c.state = tcp.FinWait1
		} // Else queued "for processing after entering ESTABLISHED state".
	case tcp.Established:
		c.state = tcp.FinWait1
	case tcp.CloseWait:
		c.state = tcp.LastAck
	default:
		return
	}
	c.set(finQueued)
}

// close is §3.10.4: the last descriptor is gone.
func (s *step) close() {
	c := s.c
	if c.has(detached) {
		s.fail(EBADF)
		return
	}
	unread := c.Unread() > 0
	switch {
	case c.in(unborn):
		s.detach()
		if c.state == tcp.Listen {
			s.end(OK)
		}
		return
	case c.state == tcp.SynSent, s.p.HalfOpenClose && c.state == tcp.SynReceived:
		s.detach()
		s.end(OK)
		return
	case unread && s.p.UnreadResets && c.state != tcp.TimeWait:
		// SHLD-3: "its TCP implementation SHOULD send a RST to show that data was
		// lost".
		s.detach()
		s.sendReset()
		s.end(OK)
		return
	case c.has(lingerZero):
		s.abortClose()
		return
	}
	s.detach()
	if c.state == tcp.FinWait2 {
		s.enterFinWait2()
		return
	}
	s.closeWriting()
}

// detach takes the application away; what it has not read goes with it.
func (s *step) detach() {
	c := s.c
	c.set(detached)
	s.discardUnread()
	c.soErr = OK
}

// abortClose is §3.10.5, ABORT: close() with SO_LINGER 0.
func (s *step) abortClose() {
	c := s.c
	if c.has(detached) {
		s.fail(EBADF)
		return
	}
	unread := c.Unread() > 0 && s.p.UnreadResets && c.state != tcp.Closed // SHLD-3 comes first
	s.detach()
	if c.state == tcp.TimeWait && s.p.TimeWait.Outlives {
		return
	}
	if unread || s.abortResets() {
		s.sendReset()
	}
	if c.state != tcp.Closed {
		s.end(OK)
	}
}

// abortResets reports whether the peer has to be told: in the states that
// §3.10.5 names, and where data is still to be sent.
func (s *step) abortResets() bool {
	return s.c.in(hasPeer) || s.c.in(canSend) && s.pending()
}

// destroy ends the connection under its application, which keeps its
// descriptor and learns ECONNABORTED.
func (s *step) destroy() {
	c := s.c
	switch {
	case c.state == tcp.Closed:
		s.fail(ENOTCONN)
		return
	case c.state == tcp.TimeWait && s.p.TimeWait.Outlives:
		s.end(OK)
		return
	case s.abortResets():
		s.sendReset()
	}
	s.endByReset(ECONNABORTED)
}

// option sets a socket option. Keepalive starts or stops at once.
func (s *step) option(e *Event) {
	c := s.c
	switch e.Kind {
	case KindKeepAlive:
		s.setKeepAlive(e)
	case KindUserTimeout:
		c.userTimeout = max(e.Idle, 0)
		c.stallAt = 0
		if c.una != c.nxt {
			s.armStall()
		}
	case KindLinger:
		c.clear(lingerZero)
		if e.On && e.Idle == 0 {
			c.set(lingerZero)
		}
	case KindLinger2:
		c.linger2 = e.Idle
	case KindNoDelay:
		c.clear(noDelay)
		if e.On {
			c.set(noDelay)
		}
	}
}

// setKeepAlive is MUST-24 and MUST-27: the application turns keepalive on and
// off, and sets its times.
func (s *step) setKeepAlive(e *Event) {
	c := s.c
	if e.Idle > 0 {
		c.keepIdle = e.Idle
	}
	if e.Interval > 0 {
		c.keepEvery = e.Interval
	}
	if e.Probes > 0 {
		c.keepProbes = e.Probes
	}
	if e.On && c.has(keepOn) && e.Idle == 0 {
		return // it runs already
	}
	c.clear(keepOn)
	if e.On {
		c.set(keepOn)
	}
	s.restKeepalive()
}
