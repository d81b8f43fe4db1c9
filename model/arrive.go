package model

import "github.com/closewait/closewait/tcp"

// arrive is §3.10.7: a segment arrives.
func (s *step) arrive(e *Event) {
	seg := e.Segment
	if s.p.DropSYNFIN && seg.Has(tcp.SYN|tcp.FIN) && !seg.Has(tcp.RST) {
		s.drop(Filtered)
		return
	}
	switch s.c.state {
	case tcp.Closed:
		s.arriveClosed(&seg)
	case tcp.Listen:
		s.arriveListen(&seg, e.ISS)
	case tcp.SynSent:
		s.arriveSynSent(&seg)
	case tcp.TimeWait:
		s.arriveTimeWait(&seg, e.Listening)
	default:
		s.arriveSynchronized(&seg)
	}
}

// arriveSynchronized is §3.10.7.4, in its order. TIME-WAIT has a file of its own.
func (s *step) arriveSynchronized(seg *tcp.Segment) {
	if s.p.SpaceIsWindow && (s.c.state != tcp.SynReceived || !s.c.has(passive)) {
		s.c.adv = s.c.adv.Add(s.gain())
	}
	if s.badRequestAck(seg) || s.c.state == tcp.SynReceived && s.repeatedSyn(seg) {
		return
	}
	if seg.Has(tcp.RST) {
		s.arriveReset(seg) // First and second.
		return
	}
	if seg.Has(tcp.SYN) && s.c.state != tcp.SynReceived {
		s.arriveSyn(seg) // Fourth: "irrespective of the sequence number".
		return
	}
	if s.p.AckFirst && !seg.Has(tcp.ACK) && !s.record() {
		s.drop(NoAck)
		return
	}
	if !s.checkSequence(seg) { // First.
		return
	}
	s.heard()
	if seg.Has(tcp.SYN) {
		s.arriveSyn(seg)
		return
	}
	if !seg.Has(tcp.ACK) { // Fifth.
		s.drop(NoAck)
		return
	}
	if !s.arriveAck(seg) {
		return
	}
	if s.dataAfterClose(seg) {
		return
	}
	s.arriveText(seg) // Seventh and eighth.
}

// acceptable is the table of §3.10.7.4, first: whether any of the segment lies
// in the receive window.
func (s *step) acceptable(seg *tcp.Segment) bool {
	c, wnd, n := s.c, s.c.RcvWnd(), seg.SeqLen()
	if s.p.RightEdge && seg.Seq == c.rcvNxt.Add(wnd) && n == 0 {
		return true
	}
	switch {
	case n == 0 && wnd == 0:
		return seg.Seq == c.rcvNxt
	case n == 0:
		return seg.Seq.Within(c.rcvNxt, wnd)
	case wnd == 0:
		return false
	}
	return seg.Seq.Within(c.rcvNxt, wnd) || seg.Seq.Add(n-1).Within(c.rcvNxt, wnd)
}

// checkSequence is §3.10.7.4, first. What it lets through is trimmed to the
// window.
func (s *step) checkSequence(seg *tcp.Segment) bool {
	c := s.c
	if s.acceptable(seg) {
		s.trim(seg)
		return true
	}
	// "If the RCV.WND is zero, no segments will be acceptable, but special
	// allowance should be made to accept valid ACKs": take the ACK and no more.
	special := c.RcvWnd() == 0 && seg.Seq == c.rcvNxt
	old := s.p.OldAckCounts && !seg.End().After(c.rcvNxt) || s.atLeftEdge(seg)
	if seg.Has(tcp.ACK) && !seg.Has(tcp.SYN) && (special || old) {
		c.set(ackNow)
		seg.Seq, seg.Len = c.rcvNxt, 0
		seg.Flags &^= tcp.FIN
		return true
	}
	s.drop(Unacceptable)
	s.challenge(fills(seg))
	return false
}

// atLeftEdge reports whether a segment ends right at RCV.NXT, where that counts.
func (s *step) atLeftEdge(seg *tcp.Segment) bool {
	return s.p.LeftEdge && seg.SeqLen() > 0 && seg.End() == s.c.rcvNxt && !s.record()
}

// trim cuts off what lies outside the receive window, "including SYN and FIN".
func (s *step) trim(seg *tcp.Segment) {
	c := s.c
	if before := c.rcvNxt.From(seg.Seq); before > 0 {
		if seg.Has(tcp.SYN) {
			seg.Flags &^= tcp.SYN
			seg.Seq++
			before--
		}
		cut := min(uint32(before), seg.Len)
		seg.Seq, seg.Len = seg.Seq.Add(cut), seg.Len-cut
	}
	edge := c.rcvNxt.Add(c.RcvWnd())
	beyond := seg.End().From(edge)
	if beyond <= 0 {
		return
	}
	if seg.Has(tcp.FIN) {
		seg.Flags &^= tcp.FIN
		beyond--
	}
	seg.Len -= min(uint32(beyond), seg.Len)
}

// arriveSyn is §3.10.7.4, fourth: a SYN where none belongs. The state stays
// what it is, unless RFC 793's rule is wanted.
func (s *step) arriveSyn(seg *tcp.Segment) {
	c := s.c
	if c.state == tcp.SynReceived && c.has(passive) {
		s.toListen()
		return
	}
	inside := seg.Seq.Within(c.rcvNxt, c.RcvWnd())
	if inside && s.miniSocket() {
		s.answerReset(seg)
		s.end(OK)
		return
	}
	if inside && s.p.InsecureSYN {
		s.sendReset()
		s.endByReset(ECONNRESET)
		return
	}
	s.drop(SynIgnored)
	s.challenges = true
	s.challenge(false)
}

// request reports whether the connection is a record in the SYN queue of a stack
// that looks at segments for those in an order of its own.
func (s *step) request() bool {
	return s.c.state == tcp.SynReceived && s.c.has(passive) && s.p.RepeatedSYN == SYNACKIfSame
}

// record reports whether there is no whole connection yet, or none any more.
func (s *step) record() bool { return s.request() || s.miniSocket() }

// badRequestAck is what such a stack looks at first, RSTs excepted: an ACK of
// anything but its SYN|ACK draws a RST, wherever the segment lies, and the record
// stays. It reports whether this was one.
func (s *step) badRequestAck(seg *tcp.Segment) bool {
	if !s.request() || !seg.Has(tcp.ACK) || seg.Has(tcp.RST) || seg.Ack == s.c.nxt {
		return false
	}
	s.drop(BadAck)
	s.answerReset(seg)
	return true
}

// repeatedSyn is what stacks with a SYN queue do about a SYN in SYN-RECEIVED;
// it reports whether that was all.
func (s *step) repeatedSyn(seg *tcp.Segment) bool {
	c := s.c
	if !c.has(passive) || !seg.Has(tcp.SYN) || seg.Has(tcp.RST) || s.p.RepeatedSYN == ToListen {
		return false
	}
	again := seg.Seq == c.irs || s.p.RepeatedSYN == SYNACKAlways
	switch {
	case again && !seg.Has(tcp.ACK):
		s.fx.add(s.syn())
		return true
	case again && s.request(): // without the SYN it is an old one
		s.drop(SynIgnored)
		s.challenge(fills(seg))
		return true
	case s.p.RepeatedSYN == SYNACKAlways || s.acceptable(seg):
		s.answerReset(seg)
		s.toListen()
		return true
	}
	return false
}

// toListen returns a passive connection in SYN-RECEIVED to LISTEN: "The user
// need not be informed." Without a user nobody listens any more.
func (s *step) toListen() {
	c := s.c
	if c.has(detached) {
		s.end(OK)
		return
	}
	*c = Conn{
		state: tcp.Listen, rto: s.p.RTOInitial, mss: s.p.MSS, sndBuf: c.sndBuf, rcvBuf: c.rcvBuf,
		keepIdle: c.keepIdle, keepEvery: c.keepEvery, keepProbes: c.keepProbes,
		userTimeout: c.userTimeout, linger2: c.linger2, flags: c.flags & options,
	}
	s.note(Relisten)
}

// fills reports whether a segment takes sequence space that could be lost data:
// such a one is answered however often it comes.
func fills(seg *tcp.Segment) bool { return seg.SeqLen() > 0 && !seg.Has(tcp.SYN) }

// challenge promises an ACK for a segment that is not to be processed: it tells
// the peer where the connection stands (RFC 5961 §3, §4). withData is for
// stacks that limit answers to empty segments only (§7).
func (s *step) challenge(withData bool) {
	if s.p.ChallengeEvery > 0 && !withData {
		if s.c.challenged != 0 {
			return
		}
		s.c.challenged = s.now
	}
	s.c.set(ackNow)
}

// forgetChallenge lets the next challenge ACK be sent, when it may.
func (s *step) forgetChallenge() {
	if s.c.challenged != 0 && s.now-s.c.challenged >= s.p.ChallengeEvery {
		s.c.challenged = 0
	}
}

// heard notes a sign of life from the peer.
func (s *step) heard() {
	c := s.c
	s.restKeepalive()
	if c.has(persisting) {
		c.unanswered = 0
	}
	if c.state == tcp.FinWait2 && c.waitAt != 0 && s.p.FinWait2.Recheck > 0 {
		c.heardAt = s.now
	}
}
