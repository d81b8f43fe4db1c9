package model

import "github.com/closewait/closewait/tcp"

// progress follows an ACK of something new: the connection is alive.
func (s *step) progress() {
	c := s.c
	c.retries, c.unanswered, c.backoffAt = 0, 0, 0
	if s.p.EagerRTO || s.p.FixedRTO {
		c.rto = s.base()
	}
	c.stallAt = 0
	if c.una == c.nxt {
		c.sendAt = 0 // RFC 6298 5.2
		c.recover = 0
		c.clear(resent | several)
		s.probeOn()
		return
	}
	s.armStall()
	if !c.has(persisting) {
		s.armSend() // RFC 6298 5.3
	}
	if !c.has(resent) {
		return
	}
	if !c.una.Before(c.recover) {
		c.recover = 0
		c.clear(resent)
		return
	}
	if c.in(canSend) {
		s.resend() // What was sent before the timeout is lost too, most likely.
	}
}

// sendTimeout is §3.10.8, RETRANSMISSION TIMEOUT (RFC 6298 5.4 to 5.6).
func (s *step) sendTimeout() {
	c := s.c
	c.sendAt = 0
	if c.una == c.nxt {
		return
	}
	if c.has(tailing) {
		s.tailProbe()
		return
	}
	if s.givesUp() {
		s.timeOut()
		return
	}
	if c.backoffAt == 0 {
		c.backoffAt = s.now
	}
	if c.retries < 1<<15 {
		c.retries++
	}
	if s.p.R1 > 0 && c.retries == uint16(s.p.R1) {
		s.note(Struggling)
	}
	c.rttAt, c.rttSeq = 0, 0
	c.set(resent)
	c.recover = c.nxt
	if c.state != tcp.SynSent || c.retries > uint16(s.p.SYNLinear) {
		c.rto = s.backedOff() // 5.5
	}
	s.resend() // 5.4
	c.sendAt = s.now + s.clamped(c.rto)
}

// resend sends "the segment at the front of the retransmission queue again".
func (s *step) resend() {
	c := s.c
	if !c.has(synAcked) {
		s.fx.add(s.syn())
		return
	}
	seg := s.ackSegment()
	seg.Seq = c.una
	sent := c.end.Min(c.nxt) // where the data that was sent ends
	if n := sent.From(c.una); n > 0 {
		seg.Len = min(uint32(n), s.mss())
	}
	if seg.Len > 0 && c.una.Add(seg.Len) == c.end {
		seg.Flags |= tcp.PSH
	}
	if c.has(finSent) && c.una.Add(seg.Len) == c.end {
		seg.Flags |= tcp.FIN
	}
	s.fx.add(seg)
}

// skips reports whether a segment tells that the first of what is outstanding is
// lost, and later ones are not.
func (s *step) skips(seg *tcp.Segment) bool {
	c := s.c
	return s.p.Sack && seg.Sack > 0 && !c.has(resent) && !c.has(persisting) && seg.Ack == c.una && c.una != c.nxt
}

// repair sends again what was lost, before its time is up.
func (s *step) repair() {
	c := s.c
	c.rttAt, c.rttSeq = 0, 0
	c.set(resent)
	c.recover = c.nxt
	s.resend()
	c.sendAt = s.now + c.rto
}

// backedOff is the next, longer timeout (RFC 6298 5.5). The slop is not doubled.
func (s *step) backedOff() Time {
	slop := s.p.RTOSlop
	if slop == 0 || s.p.FixedRTO {
		return double(s.c.rto, s.p.RTOMax)
	}
	bare := s.c.rto
	if s.c.srtt != 0 || s.c.retries > 1 {
		bare = max(bare-slop, 1)
	}
	return s.bound(double(bare, s.p.RTOMax) + slop)
}

// givesUp reports whether R2 has been reached (RFC 9293 §3.8.3, MUST-20).
func (s *step) givesUp() bool {
	c := s.c
	if c.userTimeout > 0 {
		return s.p.UserTimeoutByRetry && c.retries > 0 && s.now-c.backoffAt >= c.userTimeout
	}
	if c.in(opening) || !c.has(synAcked) {
		if c.state == tcp.SynSent {
			if s.p.SYNLinear > 0 && c.retries > 0 && s.now-c.backoffAt+s.p.RTOInitial >= s.p.span(s.p.RTOInitial, s.p.SYNRetries) {
				return true // tcp_timer.c retransmits_timed_out, since the first SYN
			}
			return c.retries >= uint16(s.p.SYNLinear)+uint16(s.p.SYNRetries)
		}
		return c.retries >= uint16(s.p.SYNACKRetries)
	}
	if s.p.OrphanProbeLimit && c.has(detached) && c.rto >= s.p.RTOMax {
		return true // tcp_timer.c tcp_orphan_retries: not alive, no retries
	}
	r2 := s.r2()
	switch {
	case r2 == 0:
		return false
	case s.p.R2Base > 0:
		return c.retries > 0 && s.now-c.backoffAt >= s.p.retransmissionSpan(r2)
	}
	return c.retries >= uint16(r2)
}

// r2 is the limit in force, 0 for none.
func (s *step) r2() uint8 {
	if s.c.has(detached) && s.p.OrphanR2 > 0 {
		return s.p.OrphanR2
	}
	return s.p.R2
}

// retransmissionSpan is how long n retransmissions take: what Linux's
// tcp_model_timeout says, 924.6 s for 15, 102.2 s for 8.
func (p *Profile) retransmissionSpan(n uint8) Time { return p.span(p.R2Base, n) }

// span is the sum of n+1 timeouts that double, the first of them d.
func (p *Profile) span(d Time, n uint8) Time {
	var sum Time
	for range int(n) + 1 {
		sum += d
		d = double(d, p.RTOMax)
		if sum > 1<<61 {
			break
		}
	}
	return sum
}

// clamped makes a timeout end no later than the user timeout (Linux,
// tcp_clamp_rto_to_user_timeout).
func (s *step) clamped(rto Time) Time {
	c := s.c
	if c.userTimeout == 0 || !s.p.UserTimeoutByRetry || c.backoffAt == 0 {
		return rto
	}
	left := c.backoffAt + c.userTimeout - s.now
	return max(min(rto, left), Millisecond)
}

// timeOut ends a connection whose peer does not answer.
func (s *step) timeOut() {
	if s.p.TimeoutResets && s.c.state != tcp.SynSent {
		s.sendReset()
	}
	s.end(ETIMEDOUT)
}
