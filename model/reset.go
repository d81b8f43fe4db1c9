package model

import "github.com/closewait/closewait/tcp"

// arriveReset is §3.10.7.4, first and second, for a RST: RFC 5961's three ways.
// Outside the window it is dropped, at RCV.NXT it ends the connection, and
// elsewhere in the window it draws a challenge ACK: who sent it in earnest
// answers that with a RST at RCV.NXT.
func (s *step) arriveReset(seg *tcp.Segment) {
	c := s.c
	inside := seg.Seq.Within(c.rcvNxt, c.RcvWnd()) ||
		s.p.ResetAtEdges && (s.p.RightEdge && seg.SeqLen() == 0 && seg.Seq == c.rcvNxt.Add(c.RcvWnd()) || s.atLeftEdge(seg))
	exact := seg.Seq == c.rcvNxt ||
		s.p.ResetBeforeFIN && c.has(finHere) && seg.Seq == c.rcvNxt-1 ||
		s.p.ResetAfterSack && s.sack() > 0 && seg.Seq == s.earlyEnd()
	switch {
	case s.p.BareRST && c.state == tcp.SynReceived && c.has(passive) && seg.Flags.Any(tcp.ACK|tcp.SYN|tcp.FIN):
		s.drop(ResetIgnored)
	case exact || inside && (s.p.InsecureRST || s.miniSocket()):
		s.resetNow()
	case inside:
		s.drop(ResetIgnored)
		s.challenges = true
		s.challenge(false)
	default:
		s.drop(ResetIgnored)
		if s.miniSocket() { // The same: out of window, a RST is answered as anything else is.
			s.challenge(false)
		}
	}
}

// resetNow is what a RST that is believed does, by state (§3.10.7.4, second).
func (s *step) resetNow() {
	switch s.c.state {
	case tcp.SynReceived:
		if s.c.has(passive) {
			s.toListen()
			return
		}
		s.endByReset(ECONNREFUSED)
	case tcp.CloseWait:
		s.endByReset(s.p.ResetInCloseWait)
	default:
		s.endByReset(ECONNRESET)
	}
}

// answerReset sends the RST that answers a segment (§3.10.7.1).
func (s *step) answerReset(seg *tcp.Segment) {
	if rst, ok := ResetFor(*seg); ok {
		s.fx.add(rst)
	}
}

// sendReset sends a RST of our own accord, as ABORT does (§3.10.5). It is sent
// once, and never again: RSTs are best-effort (C11).
func (s *step) sendReset() { s.sendResetAs(s.p.ResetWithAck) }

func (s *step) sendResetAs(withAck bool) {
	rst := tcp.Segment{Seq: s.c.nxt, Flags: tcp.RST}
	if withAck && s.c.state != tcp.SynSent {
		rst.Flags |= tcp.ACK
		rst.Ack = s.c.rcvNxt
	}
	s.c.clear(ackNow)
	s.fx.add(rst)
}

// dataAfterClose is SHLD-3: data that has come for an application that is gone
// is answered with a RST, which ends the connection here and there (C8).
func (s *step) dataAfterClose(seg *tcp.Segment) bool {
	c := s.c
	gone := c.has(detached) || s.p.ShutdownResets && c.has(readShut|finQueued)
	fresh := seg.Len > 0 && seg.Seq.Add(seg.Len).After(c.rcvNxt)
	if s.p.EarlyFINResets && seg.Has(tcp.FIN) && seg.Seq.After(c.rcvNxt) {
		fresh = true // what it follows is data
	}
	if !gone || !fresh || s.p.KeepsDataAfterClose || !c.in(canReceive) {
		return false
	}
	s.drop(AfterClose)
	s.answerReset(seg)
	s.endByReset(ECONNRESET)
	return true
}
