package model

import "github.com/closewait/closewait/tcp"

// time starts to time a round trip, one at a time, and none across a
// retransmission (RFC 6298 §3, Karn).
func (s *step) time(end tcp.Seq) {
	if s.c.rttAt == 0 && !s.p.FixedRTO && !s.c.has(resent) {
		s.c.rttAt = s.now
		s.c.rttSeq = end
	}
}

// measure takes a round-trip time if ack acknowledges what was being timed.
func (s *step) measure(ack tcp.Seq) {
	c := s.c
	if c.rttAt == 0 || ack.Before(c.rttSeq) {
		return
	}
	r := max(s.now-c.rttAt, 1)
	c.rttAt, c.rttSeq = 0, 0
	if c.srtt == 0 { // RFC 6298 2.2
		c.srtt, c.rttvar = r, r/2
	} else { // RFC 6298 2.3
		diff := c.srtt - r
		if diff < 0 {
			diff = -diff
		}
		c.rttvar = c.rttvar - c.rttvar/4 + diff/4
		c.srtt = c.srtt - c.srtt/8 + r/8
	}
	c.rto = s.base()
}

// base is the RTO without back-off: RFC 6298 2.1 before the first measurement,
// then 2.2 to 2.5.
func (s *step) base() Time {
	c := s.c
	if c.srtt == 0 {
		return s.p.RTOInitial
	}
	vary := max(s.p.Granularity, 4*c.rttvar)
	if s.p.RTOMinVaries {
		vary = max(vary, s.p.RTOMin)
	}
	return s.bound(max(c.srtt+vary, s.p.RTOMin) + s.p.RTOSlop)
}

// bound keeps an RTO below its maximum (RFC 6298 2.5).
func (s *step) bound(rto Time) Time {
	if s.p.RTOMax > 0 && rto > s.p.RTOMax {
		return s.p.RTOMax
	}
	return rto
}

// double backs an interval off (RFC 6298 5.5), within a maximum; no input makes
// it overflow.
func double(d, most Time) Time {
	if d > 1<<60 {
		return d
	}
	d *= 2
	if most > 0 && d > most {
		return most
	}
	return d
}
