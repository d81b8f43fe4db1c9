package model

import "github.com/closewait/closewait/tcp"

// output sends what the windows and the room in Effects allow: data, and our
// FIN behind it.
func (s *step) output() {
	c := s.c
	if !c.in(canSend) {
		c.moreAt = 0
		return
	}
	c.moreAt = 0
	if s.p.LossWindow && c.has(resent) && c.una != c.nxt {
		return
	}
	for s.pending() {
		if s.fx.sent == MaxSegments {
			c.moreAt = s.now
			return
		}
		n, fin := s.next()
		if n == 0 && !fin {
			s.blocked()
			return
		}
		s.sendText(n, fin)
	}
}

// pending reports whether there is something that was never sent.
func (s *step) pending() bool {
	c := s.c
	return c.Unsent() > 0 || c.has(finQueued) && !c.has(finSent)
}

// next says how much the next segment may carry, and whether our FIN goes along.
func (s *step) next() (n uint32, fin bool) {
	c := s.c
	unsent := c.Unsent()
	usable := s.usable()
	n = min(unsent, usable, s.mss())
	fin = c.has(finQueued) && !c.has(finSent) && n == unsent && (n < usable || n == 0 && s.p.FINIgnoresWindow)
	if n > 0 && n < s.mss() && !fin && s.waitForMore(n, unsent) {
		return 0, false
	}
	return n, fin
}

// usable is what is left of the peer's window.
func (s *step) usable() uint32 {
	c := s.c
	left := c.una.Add(c.sndWnd).From(c.nxt)
	if left <= 0 || c.has(persisting) {
		return 0
	}
	return uint32(left)
}

// mss is the most one segment carries; never 0.
func (s *step) mss() uint32 {
	if s.c.mss == 0 {
		return 536 // RFC 9293 §3.7.1, MUST-15
	}
	return uint32(s.c.mss)
}

// waitForMore is whether a segment that could be fuller had better wait: for the
// window (RFC 9293 §3.8.6.2.1, sender's silly window avoidance), or for the ACK
// of what is out (SHLD-7, Nagle). It never waits with nothing outstanding.
func (s *step) waitForMore(n, unsent uint32) bool {
	c := s.c
	if c.nxt == c.una {
		return false
	}
	if n < unsent { // The window ends before the segment is full.
		return n < c.maxWnd/2
	}
	return s.p.Nagle && !c.has(noDelay)
}

// sendText sends n octets never sent before, and the FIN if it is its turn.
func (s *step) sendText(n uint32, fin bool) {
	c := s.c
	seg := s.ackSegment()
	seg.Len = n
	if n > 0 && c.nxt.Add(n) == c.end {
		seg.Flags |= tcp.PSH
	}
	if fin {
		seg.Flags |= tcp.FIN
		c.set(finSent)
	}
	if s.p.TailProbe && c.nxt != c.una {
		c.set(several)
	}
	c.nxt = seg.End()
	s.fx.add(seg)
	s.time(c.nxt)
	if c.sendAt == 0 || c.has(tailing) {
		s.armSend() // RFC 6298 5.1
	}
	s.armStall()
}

// ackSegment makes "<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>", which settles every
// ACK that is owed.
func (s *step) ackSegment() tcp.Segment {
	c := s.c
	s.offer()
	c.clear(ackNow)
	c.delayedAt = 0
	return tcp.Segment{Seq: c.nxt, Ack: c.rcvNxt, Window: c.RcvWnd(), Flags: tcp.ACK, Sack: s.sack()}
}

// sack is how much is missing before what has come early; 0 is nothing, or not
// to be told.
func (s *step) sack() uint32 {
	c := s.c
	switch {
	case !s.p.Sack:
		return 0
	case c.early[0] != (span{}):
		return uint32(c.early[0].from - c.rcvNxt)
	case c.has(finEarly):
		return uint32(c.finSeq - c.rcvNxt)
	}
	return 0
}

// earlyEnd is where what has come early ends.
func (s *step) earlyEnd() tcp.Seq {
	c := s.c
	end := c.rcvNxt
	for _, piece := range c.early {
		if piece != (span{}) {
			end = piece.to
		}
	}
	if c.has(finEarly) {
		end = end.Max(c.finSeq.Add(1))
	}
	return end
}

// acknowledge sends the ACK that is owed, if no other segment brought it.
func (s *step) acknowledge() {
	c := s.c
	if !c.has(ackNow) {
		return
	}
	c.clear(ackNow)
	if c.in(unborn) || c.state == tcp.SynSent {
		return
	}
	ack := s.ackSegment()
	if s.p.AckRepeatsFIN && !s.challenges && c.has(finSent) && !c.has(finAcked) {
		ack.Seq--
		ack.Flags |= tcp.FIN
	}
	s.fx.add(ack)
}

// offer moves the right edge of the receive window to where the buffer allows,
// never back, and not by small steps (RFC 9293 §3.8.6.2.2).
func (s *step) offer() {
	c := s.c
	if gain := s.gain(); gain > 0 && gain >= s.leastGain() {
		c.adv = c.adv.Add(gain)
	}
}

// gain is how far the right edge of the window could move.
func (s *step) gain() uint32 {
	c := s.c
	unread := c.Unread()
	if unread >= c.rcvBuf {
		return 0
	}
	if n := c.rcvNxt.Add(c.rcvBuf - unread).From(c.adv); n > 0 {
		return uint32(n)
	}
	return 0
}

// leastGain is the least by which the window is opened.
func (s *step) leastGain() uint32 { return min(s.c.rcvBuf/2, s.mss()) }

// windowUpdate promises an ACK when a read has opened a window that was too
// small for the peer to go on.
func (s *step) windowUpdate() {
	c := s.c
	if c.in(canReceive) && c.RcvWnd() < s.leastGain() && s.gain() > 0 && s.gain() >= s.leastGain() {
		c.set(ackNow)
	}
}
