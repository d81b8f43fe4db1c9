package model

import "github.com/closewait/closewait/tcp"

// armSend starts the retransmission timer, or what comes before it: where the
// profile has tail probes, the first timeout of a row is one (RFC 8985 §7.2).
func (s *step) armSend() {
	c := s.c
	c.clear(tailing)
	c.sendAt = s.now + c.rto
	if !s.p.TailProbe || c.has(resent) || c.retries > 0 || c.srtt == 0 || !c.has(synAcked) {
		return
	}
	c.set(tailing)
	c.sendAt = s.now + s.tailSpan()
}

// tailSpan is how long a tail probe waits: two round trips, and for a lone
// segment as long as its ACK may be delayed (Linux, tcp_schedule_loss_probe).
func (s *step) tailSpan() Time {
	span := 2*s.c.srtt + 2*Millisecond
	if s.lone() {
		span = 2*s.c.srtt + s.p.RTOMin
	}
	return max(min(span, s.c.rto), 1)
}

// lone reports whether what is outstanding was sent in one segment.
func (s *step) lone() bool { return !s.c.has(several) }

// tailProbe sends the last segment again, so that an ACK tells what is lost.
// The retransmission timeout stays where it was; that of a lone segment counts
// from here.
func (s *step) tailProbe() {
	c := s.c
	left := c.rto - s.tailSpan()
	if s.lone() {
		left = c.rto
	}
	c.clear(tailing)
	c.rttAt, c.rttSeq = 0, 0
	seg := s.ackSegment()
	switch {
	case c.has(finSent) && !c.has(finAcked):
		seg.Flags |= tcp.FIN
		seg.Seq = c.end
	default:
		seg.Len = min(uint32(c.nxt-c.una), s.mss())
		seg.Seq = c.nxt - tcp.Seq(seg.Len)
		seg.Flags |= tcp.PSH
	}
	s.fx.add(seg)
	c.sendAt = s.now + max(left, 1)
}
