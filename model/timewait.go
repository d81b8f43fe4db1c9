package model

import "github.com/closewait/closewait/tcp"

// enterTimeWait starts TIME-WAIT, which acknowledges a FIN that is repeated and
// keeps old duplicates from a new connection. It leads to CLOSED after 2 MSL
// (MUST-13), or makes room for a new SYN (MAY-2). "Start the time-wait timer,
// turn off the other timers."
func (s *step) enterTimeWait() {
	c := s.c
	c.state = tcp.TimeWait
	c.sendAt, c.moreAt, c.keepAt, c.delayedAt, c.stallAt = 0, 0, 0, 0, 0
	c.rttAt, c.rttSeq, c.backoffAt, c.heardAt, c.recover = 0, 0, 0, 0, 0
	c.retries, c.backoff, c.unanswered = 0, 0, 0
	c.clear(persisting | tailing | several | resent | miniWait)
	s.restartTimeWait()
}

func (s *step) restartTimeWait() { s.c.waitAt = s.now + max(2*s.p.TimeWait.MSL, 1) }

// arriveTimeWait is §3.10.7.4 for TIME-WAIT.
func (s *step) arriveTimeWait(seg *tcp.Segment, listening bool) {
	c := s.c
	switch {
	case seg.Has(tcp.RST):
		s.resetInTimeWait(seg)
		return
	case s.reuses(seg) && listening:
		// "It MAY accept a new SYN from the remote TCP endpoint to reopen the
		// connection directly" (MAY-2); the sequence number tells it from an old
		// duplicate.
		s.note(Reopen)
		s.end(OK)
		return
	case seg.Has(tcp.SYN) && s.p.InsecureSYN && !s.p.TimeWait.NeedsAck && seg.Seq.Within(c.rcvNxt, c.RcvWnd()):
		// RFC 793 page 71: a SYN in the window is an error here too. BSD has a
		// TIME-WAIT of its own, which never looks at the setting.
		s.sendReset()
		s.end(OK)
		return
	case s.p.TimeWait.NeedsAck && !seg.Has(tcp.ACK):
		s.drop(NoAck)
		return
	case s.reuses(seg): // But nobody listens: no limit to that (Linux, tcp_v4_rcv).
		s.drop(SynIgnored)
		c.set(ackNow)
		return
	}
	if seg.Has(tcp.ACK) && s.p.TimeWait.AckRestarts {
		s.restartTimeWait()
	}
	if seg.Has(tcp.FIN) && seg.End() == c.rcvNxt {
		// "The only thing that can arrive in this state is a retransmission of the
		// remote FIN. Acknowledge it, and restart the 2 MSL timeout."
		s.restartTimeWait()
		c.set(ackNow)
		return
	}
	silent, why := s.silentInTimeWait(seg)
	s.drop(why)
	if !silent {
		s.challenge(fills(seg))
	}
}

// silentInTimeWait reports whether a segment is dropped without an ACK, and why.
func (s *step) silentInTimeWait(seg *tcp.Segment) (bool, Drop) {
	c := s.c
	switch {
	case seg.Has(tcp.SYN):
		return false, SynIgnored // a challenge ACK
	case seg.SeqLen() == 0 && seg.Seq == c.rcvNxt:
		// An ACK that fits: answered, it would be answered for ever.
		return !seg.Has(tcp.ACK) || seg.Ack == c.nxt || s.p.TimeWait.AckRestarts, NotDropped
	case !s.acceptable(seg):
		return false, Unacceptable
	case !seg.Has(tcp.ACK):
		return !s.p.TimeWait.AckRestarts, NoAck
	}
	return false, NotDropped
}

// reuses reports whether a segment is a SYN that may open a new connection in
// this one's place: it lies beyond all that the old one has sent.
func (s *step) reuses(seg *tcp.Segment) bool {
	return s.p.TimeWait.Reuse && seg.Has(tcp.SYN) && !seg.Has(tcp.ACK) && seg.Seq.After(s.c.rcvNxt)
}

// resetInTimeWait is what a RST does to TIME-WAIT: it kills it, which RFC 1337
// calls assassination, unless the profile will not have it.
func (s *step) resetInTimeWait(seg *tcp.Segment) {
	c := s.c
	inside := seg.Seq.Within(c.rcvNxt, c.RcvWnd())
	s.drop(ResetIgnored)
	switch {
	case s.p.TimeWait.RFC1337:
	case seg.Seq == c.rcvNxt || inside && s.p.InsecureRST:
		s.drop(NotDropped)
		s.end(OK)
	case inside && !s.p.TimeWait.NoChallenge:
		s.challenge(false)
	}
}
