package model

import "github.com/closewait/closewait/tcp"

// blocked is called when there is something to send and the window does not
// take it. With nothing outstanding no ACK will come by itself that opens the
// window, and one that opened it may have been lost: so probe
// (RFC 9293 §3.8.6.1, MUST-36).
func (s *step) blocked() {
	c := s.c
	if c.has(persisting) || c.una != c.nxt {
		return
	}
	s.persist()
}

// persist turns the retransmission timer into the probe timer. It lasts until
// the window opens, the connection ends, or probes go unanswered for too long.
func (s *step) persist() {
	c := s.c
	c.set(persisting)
	c.clear(tailing)
	c.backoff, c.unanswered, c.backoffAt = 0, 0, 0
	c.sendAt = s.now + s.probeInterval() // SHLD-29: after one RTO
	s.armStall()
}

// windowChanged starts or stops probing, after a segment offered a window.
func (s *step) windowChanged() {
	c := s.c
	if !c.in(canSend) || c.has(finAcked) {
		return
	}
	shut := c.sndWnd == 0
	waiting := s.pending() || c.una != c.nxt
	switch {
	case c.has(persisting) && !shut:
		s.reopen()
	case c.has(persisting) && !waiting:
		c.clear(persisting)
		c.sendAt = 0
	case shut && c.end.After(c.una) && c.una != c.nxt && !c.has(persisting):
		// "If the window shrinks to zero, the TCP implementation MUST probe it in
		// the standard way" (MUST-35).
		s.persist()
	}
}

// probeOn keeps probing after a probe's octet was acknowledged, if there is
// still something for which the window has to open.
func (s *step) probeOn() {
	c := s.c
	if !c.has(persisting) {
		return
	}
	if !s.pending() {
		c.clear(persisting)
		c.backoff, c.backoffAt = 0, 0
		return
	}
	c.sendAt = s.now + s.probeInterval()
}

// reopen ends probing: the window is open. What a probe carried into the closed
// window was not taken, and goes again.
func (s *step) reopen() {
	c := s.c
	c.clear(persisting)
	c.backoff, c.unanswered, c.backoffAt = 0, 0, 0
	c.sendAt = 0
	if c.una == c.nxt {
		return
	}
	c.set(resent)
	c.recover = c.nxt
	s.resend()
	c.sendAt = s.now + c.rto
}

// probeTimeout sends a zero-window probe. "As long as the receiving TCP peer
// continues to send acknowledgments in response to the probe segments, the
// sending TCP peer MUST allow the connection to stay open" (MUST-37).
func (s *step) probeTimeout() {
	c := s.c
	if s.probesEnd() {
		s.timeOut()
		return
	}
	if c.backoffAt == 0 {
		c.backoffAt = s.now
	}
	if c.unanswered < 1<<15 {
		c.unanswered++
	}
	if c.backoff < 1<<15 {
		c.backoff++
	}
	s.probe()
	c.sendAt = s.now + s.probeInterval() // SHLD-30: exponentially
	if c.userTimeout > 0 && s.p.UserTimeoutByRetry {
		c.sendAt = s.now + s.clamped(s.probeInterval())
	}
}

// probesEnd reports whether the peer has not answered for too long.
func (s *step) probesEnd() bool {
	c := s.c
	if c.userTimeout > 0 && s.p.UserTimeoutByRetry {
		return c.backoffAt != 0 && s.now-c.backoffAt >= c.userTimeout
	}
	if s.p.OrphanProbeLimit && c.has(detached) && s.probeInterval() >= s.p.PersistMax {
		return true
	}
	r2 := s.r2()
	return r2 > 0 && c.unanswered >= uint16(r2)
}

// probeInterval is the time to the next probe: the RTO at first, then doubling.
func (s *step) probeInterval() Time {
	least, most := s.p.PersistMin, s.p.PersistMax
	if least == 0 {
		least = s.p.RTOMin
	}
	if most == 0 {
		most = s.p.RTOMax
	}
	d := max(s.base(), least)
	for range min(s.c.backoff, 62) {
		d = double(d, most)
	}
	return d
}

// probe sends what makes the peer tell its window: an old sequence number, or
// the next octet, be it the FIN.
func (s *step) probe() {
	c := s.c
	seg := s.ackSegment()
	if s.p.OldProbe {
		seg.Seq = c.una - 1
		s.fx.add(seg)
		return
	}
	if c.una != c.nxt {
		s.probeAgain(seg)
		return
	}
	if c.Unsent() > 0 {
		seg.Len = 1
	} else {
		seg.Flags |= tcp.FIN
		c.set(finSent)
	}
	c.nxt = seg.End()
	s.fx.add(seg)
}

// probeAgain repeats the first octet that is outstanding.
func (s *step) probeAgain(seg tcp.Segment) {
	c := s.c
	seg.Seq = c.una
	if c.end.After(c.una) {
		seg.Len = 1
	} else if c.has(finSent) {
		seg.Flags |= tcp.FIN
	}
	s.fx.add(seg)
}
