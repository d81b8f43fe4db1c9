package model

import "github.com/closewait/closewait/tcp"

// arriveSynSent is §3.10.7.3. SYN-SENT waits for a SYN|ACK, and goes to
// ESTABLISHED; a bare SYN crosses ours, and leads to SYN-RECEIVED; a RST ends it.
func (s *step) arriveSynSent(seg *tcp.Segment) {
	c := s.c
	ack := seg.Has(tcp.ACK)
	// First, check the ACK bit.
	if ack && (!seg.Ack.After(c.iss) || seg.Ack.After(c.nxt)) {
		s.drop(BadAck)
		s.answerReset(seg)
		if s.p.BadAckRepeatsSYN && c.retries == 0 {
			c.sendAt = s.now
		}
		return
	}
	// Second, check the RST bit.
	if seg.Has(tcp.RST) {
		if !ack {
			s.drop(ResetIgnored)
			return
		}
		s.endByReset(ECONNREFUSED)
		return
	}
	// Fourth, check the SYN bit. Fifth, if there is none, drop the segment.
	if !seg.Has(tcp.SYN) {
		s.drop(NoAck)
		return
	}
	s.takeSyn(seg)
	s.wholeSegments()
	if !ack {
		c.state = tcp.SynReceived
		c.retries = 0
		if s.p.CrossedFIN && seg.Has(tcp.FIN) {
			s.crossedFIN(seg.Len)
		}
		s.sendSyn()
		return
	}
	lost := c.retries > 0
	s.acked(seg.Ack)
	s.established(lost)
	c.set(ackNow)
	s.deliverEarly()
}

// established is the end of the handshake. ESTABLISHED lasts until either side
// closes: the peer's FIN leads to CLOSE-WAIT, our close to FIN-WAIT-1.
func (s *step) established(synLost bool) {
	c := s.c
	if synLost && !s.p.EagerRTO && c.rto < 3*Second {
		c.rto = min(3*Second, s.p.RTOMax) // RFC 6298 5.7
	}
	c.retries, c.backoffAt = 0, 0
	c.set(synced)
	c.state = tcp.Established
	if c.has(passive) {
		s.wholeSegments()
	}
	s.note(Connected | Writable)
	if c.has(finQueued) {
		c.state = tcp.FinWait1
	}
	s.restKeepalive()
}

// crossedFIN is what BSD does with a FIN on a SYN that crosses ours.
func (s *step) crossedFIN(data uint32) {
	c := s.c
	c.clear(finEarly)
	c.finSeq = 0
	if data > 0 {
		return
	}
	c.rcvNxt++
	c.set(finHere)
	c.state = tcp.CloseWait
	s.note(PeerClosed | Readable)
}

// wholeSegments rounds the receive buffer up to whole segments.
func (s *step) wholeSegments() {
	c := s.c
	if !s.p.WholeSegments || c.mss == 0 || c.rcvBuf > 1<<30 {
		return
	}
	size := uint32(c.mss)
	c.rcvBuf = (c.rcvBuf + size - 1) / size * size
	c.adv = c.adv.Max(c.rcvNxt.Add(c.rcvBuf))
}
