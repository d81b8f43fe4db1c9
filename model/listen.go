package model

import "github.com/closewait/closewait/tcp"

// arriveClosed is §3.10.7.1: there is no connection. It stays so.
func (s *step) arriveClosed(seg *tcp.Segment) {
	s.drop(NoConnection)
	if rst, ok := ResetFor(*seg); ok {
		s.fx.add(rst)
	}
}

// ResetFor returns the RST that answers a segment for which there is no
// connection, made so that its sender believes it (RFC 9293 §3.10.7.1). No RST
// answers a RST.
func ResetFor(seg tcp.Segment) (tcp.Segment, bool) {
	switch {
	case seg.Has(tcp.RST):
		return tcp.Segment{}, false
	case seg.Has(tcp.ACK):
		return tcp.Segment{Seq: seg.Ack, Flags: tcp.RST}, true
	}
	return tcp.Segment{Ack: seg.End(), Flags: tcp.RST | tcp.ACK}, true
}

// arriveListen is §3.10.7.2. LISTEN waits for a SYN, and goes to SYN-RECEIVED.
func (s *step) arriveListen(seg *tcp.Segment, iss tcp.Seq) {
	switch {
	case seg.Has(tcp.RST): // First, check for a RST.
		s.drop(ResetIgnored)
	case seg.Has(tcp.ACK): // Second, check for an ACK.
		s.drop(BadAck)
		s.answerReset(seg)
	case !seg.Has(tcp.SYN): // Fourth, other data or control.
		s.drop(NoAck)
	case seg.Has(tcp.FIN) && s.p.ListenDropsSYNFIN:
		s.drop(Filtered)
	default: // Third, check for a SYN.
		s.c.set(passive | wasOpen)
		s.begin(iss)
		s.takeSyn(seg)
		s.c.state = tcp.SynReceived
		s.sendSyn()
	}
}

// takeSyn learns from the peer's SYN where it counts from and what it takes.
func (s *step) takeSyn(seg *tcp.Segment) {
	c := s.c
	c.irs = seg.Seq
	c.rcvNxt = seg.Seq.Add(1)
	c.copied = c.rcvNxt
	c.adv = c.rcvNxt.Add(c.rcvBuf)
	if s.p.WholeSegments && c.has(passive) {
		c.adv = c.rcvNxt.Add(min(c.rcvBuf, 65535))
	}
	c.sndWnd, c.maxWnd = seg.Window, seg.Window
	c.wl1, c.wl2 = seg.Seq, c.una
	if seg.Has(tcp.ACK) {
		c.wl2 = seg.Ack
	}
	peer := uint16(536) // RFC 9293 §3.7.1, MUST-15: without the option
	if seg.MSS > 0 {
		peer = seg.MSS
	}
	c.mss = min(c.mss, peer)
	if alone := s.p.AnswerAlone; c.has(passive) && s.p.SYNAlone || !c.has(passive) && alone {
		return
	}
	// "Any other control or text should be queued for processing later."
	text := tcp.Segment{Seq: c.rcvNxt, Len: seg.Len, Flags: seg.Flags & tcp.FIN}
	s.trim(&text)
	s.keepEarly(&text)
}

// begin makes the TCB of a new connection: our half of it.
func (s *step) begin(iss tcp.Seq) {
	c := s.c
	c.iss, c.una, c.nxt, c.end = iss, iss, iss.Add(1), iss.Add(1)
	c.rto, c.srtt, c.rttvar = s.p.RTOInitial, 0, 0
	c.mss = s.p.MSS
	s.armStall()
}

// sendSyn sends our SYN, with the ACK of the peer's if it has come, and starts
// the retransmission timer (RFC 6298 5.1).
func (s *step) sendSyn() {
	s.fx.add(s.syn())
	s.time(s.c.nxt)
	s.c.sendAt = s.now + s.c.rto
}

// syn makes our SYN or SYN|ACK. RFC 9293 §3.4: it takes the first sequence
// number, the ISS.
func (s *step) syn() tcp.Segment {
	c := s.c
	seg := tcp.Segment{Seq: c.iss, Flags: tcp.SYN, MSS: s.p.MSS, Window: c.rcvBuf}
	if c.state != tcp.SynSent {
		seg.Flags |= tcp.ACK
		seg.Ack = c.rcvNxt
		seg.Window = c.RcvWnd()
		c.clear(ackNow)
	}
	return seg
}
