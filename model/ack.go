package model

import "github.com/closewait/closewait/tcp"

// arriveAck is §3.10.7.4, fifth. It reports whether the segment is to be
// processed further.
func (s *step) arriveAck(seg *tcp.Segment) bool {
	c := s.c
	if c.state == tcp.SynReceived {
		return s.ackInSynReceived(seg)
	}
	if s.miniSocket() {
		return true // the record does not know what was sent
	}
	tooOld := s.p.AckRange && (seg.Ack.Before(c.una-tcp.Seq(c.maxWnd)) || s.p.AckFromISS && s.neverSent(seg.Ack))
	if tooOld || seg.Ack.After(c.nxt) {
		s.drop(BadAck)
		if tooOld || !s.p.UnsentAckSilent || c.state != tcp.Established {
			s.challenge(fills(seg))
		}
		return false
	}
	if seg.Ack.After(c.una) {
		s.acked(seg.Ack)
	} else if s.skips(seg) {
		s.repair()
	}
	if !seg.Ack.Before(c.una) {
		s.updateWindow(seg)
	}
	return s.finAckedNow()
}

// neverSent reports whether an old ACK is of something before all that this
// connection has sent, as far as the largest window reaches back.
func (s *step) neverSent(ack tcp.Seq) bool {
	c := s.c
	first := c.iss
	if c.has(passive) {
		first++ // without the ACK of the SYN|ACK there would be no connection
	}
	return uint32(c.una-first) < c.maxWnd && ack.Before(first) && ack.Before(c.una)
}

// ackInSynReceived completes the handshake: SYN-RECEIVED goes to ESTABLISHED,
// or on to FIN-WAIT-1 if the application has closed meanwhile.
func (s *step) ackInSynReceived(seg *tcp.Segment) bool {
	c := s.c
	if !seg.Ack.After(c.una) || seg.Ack.After(c.nxt) {
		s.drop(BadAck)
		s.answerReset(seg)
		return false
	}
	lost := c.retries > 0
	s.acked(seg.Ack)
	c.wl1, c.wl2, c.sndWnd = seg.Seq, seg.Ack, seg.Window
	c.maxWnd = max(c.maxWnd, seg.Window)
	s.established(lost)
	s.deliverEarly()
	return true
}

// acked takes what ack acknowledges off the retransmission queue.
func (s *step) acked(ack tcp.Seq) {
	c := s.c
	if !c.has(synAcked) {
		c.set(synAcked)
	}
	if c.state != tcp.SynSent && c.state != tcp.SynReceived && !c.has(synced) {
		// FIN-WAIT-1 straight from SYN-RECEIVED: the handshake is over now.
		c.set(synced)
		s.note(Connected)
	}
	written := c.end.From(c.una) > 0 && c.in(canSend)
	c.una = ack
	if c.has(finSent) && ack == c.nxt && c.nxt == c.end.Add(1) {
		c.set(finAcked)
	}
	if written {
		s.note(Writable)
	}
	s.measure(ack)
	s.progress()
}

// updateWindow takes the window that the segment offers, unless it is an older
// segment than the last that did.
func (s *step) updateWindow(seg *tcp.Segment) {
	c := s.c
	if !c.wl1.Before(seg.Seq) && (c.wl1 != seg.Seq || seg.Ack.Before(c.wl2)) {
		return
	}
	c.wl1, c.wl2, c.sndWnd = seg.Seq, seg.Ack, seg.Window
	c.maxWnd = max(c.maxWnd, seg.Window)
	s.windowChanged()
}

// finAckedNow is what the ACK of our FIN leads to. FIN-WAIT-1 goes to
// FIN-WAIT-2, CLOSING to TIME-WAIT, LAST-ACK to CLOSED. It reports whether there
// is still a connection to process the rest of the segment.
func (s *step) finAckedNow() bool {
	c := s.c
	if !c.has(finAcked) {
		return true
	}
	switch c.state {
	case tcp.FinWait1:
		c.state = tcp.FinWait2
		return s.enterFinWait2()
	case tcp.Closing:
		s.enterTimeWait()
	case tcp.LastAck:
		s.end(OK)
		return false
	}
	return true
}
