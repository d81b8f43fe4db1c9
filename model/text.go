package model

import "github.com/closewait/closewait/tcp"

// arriveText is §3.10.7.4, seventh and eighth: data, and the FIN behind it.
// The segment is trimmed to the window already.
func (s *step) arriveText(seg *tcp.Segment) {
	c := s.c
	if !c.in(canReceive) || seg.Len == 0 && !seg.Has(tcp.FIN) {
		return
	}
	if seg.Seq != c.rcvNxt {
		// Ahead of a gap: "SHOULD be held for later processing (SHLD-31)"; the ACK
		// of what is missing goes at once (MAY-13).
		s.keepEarly(seg)
		c.set(ackNow)
		return
	}
	gap := c.early[0] != (span{})
	s.advance(seg.Len)
	if seg.Has(tcp.FIN) {
		c.set(finEarly)
		c.finSeq = c.rcvNxt
	}
	s.deliverEarly()
	s.oweAck(seg.Len, gap)
}

// advance takes n octets in order.
func (s *step) advance(n uint32) {
	if n == 0 {
		return
	}
	c := s.c
	c.rcvNxt = c.rcvNxt.Add(n)
	if s.p.ReadShutDiscards && c.has(readShut) || c.has(detached) {
		c.copied = c.rcvNxt
		return
	}
	s.note(Readable)
}

// oweAck promises an ACK for n octets in order: now, or with some other segment
// until the delay is over. The second segment is always acknowledged, and the
// one that fills a gap (RFC 9293 §3.8.6.3, RFC 5681 §4.2).
func (s *step) oweAck(n uint32, atOnce bool) {
	c := s.c
	if s.p.DelayedFINAck > 0 && !atOnce && c.state == tcp.CloseWait && c.rcvNxt-c.irs > 2 && n < s.mss() {
		c.clear(ackNow)
		c.delayedAt = s.now + s.p.DelayedFINAck
		return
	}
	if s.p.DelayedAck == 0 || atOnce || c.delayedAt != 0 || c.has(finHere) {
		c.set(ackNow)
		return
	}
	c.delayedAt = s.now + s.p.DelayedAck
}

// keepEarly holds a segment that came ahead of a gap, if there is room for it.
func (s *step) keepEarly(seg *tcp.Segment) {
	c := s.c
	if seg.Has(tcp.FIN) {
		c.set(finEarly)
		c.finSeq = seg.Seq.Add(seg.Len)
	}
	if seg.Len == 0 {
		return
	}
	add := span{seg.Seq, seg.Seq.Add(seg.Len)}
	for i := range c.early {
		if have := c.early[i]; have != (span{}) && !add.from.After(have.to) && !have.from.After(add.to) {
			add = span{add.from.Min(have.from), add.to.Max(have.to)}
			c.early[i] = span{}
		}
	}
	s.insertEarly(add)
}

// insertEarly puts a piece into its place: pieces are kept in order, empty ones
// last. When there is no room the last piece goes.
func (s *step) insertEarly(add span) {
	c := s.c
	var kept [maxEarly]span
	n := 0
	for _, have := range c.early {
		if have == (span{}) {
			continue
		}
		if add != (span{}) && add.from.Before(have.from) && n < maxEarly {
			kept[n] = add
			add = span{}
			n++
		}
		if n < maxEarly {
			kept[n] = have
			n++
		}
	}
	if add != (span{}) && n < maxEarly {
		kept[n] = add
	}
	c.early = kept
}

// deliverEarly takes what has come early and is in order now, the FIN last.
func (s *step) deliverEarly() {
	c := s.c
	for range maxEarly {
		first := c.early[0]
		if first == (span{}) || first.from.After(c.rcvNxt) {
			break
		}
		if n := first.to.From(c.rcvNxt); n > 0 {
			s.advance(uint32(n))
		}
		copy(c.early[:], c.early[1:])
		c.early[maxEarly-1] = span{}
	}
	if c.has(finEarly) && !c.finSeq.After(c.rcvNxt) {
		c.clear(finEarly)
		if c.finSeq == c.rcvNxt {
			s.arriveFin()
		}
		c.finSeq = 0
	}
}

// arriveFin is §3.10.7.4, eighth: all that the peer had to say is here.
// ESTABLISHED goes to CLOSE-WAIT (C1), FIN-WAIT-1 to CLOSING, for the ACK of our
// own FIN has not come, and FIN-WAIT-2 to TIME-WAIT. The ACK goes out whatever
// the application does (C4).
func (s *step) arriveFin() {
	c := s.c
	if !c.in(canReceive) {
		return
	}
	c.rcvNxt++
	c.set(finHere | ackNow)
	s.note(PeerClosed | Readable)
	switch c.state {
	case tcp.Established:
		c.state = tcp.CloseWait
	case tcp.FinWait1:
		c.state = tcp.Closing
	case tcp.FinWait2:
		s.enterTimeWait()
	}
}
