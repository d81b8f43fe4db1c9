package model

import "github.com/closewait/closewait/tcp"

// keepsAlive are the states in which keepalive may probe: the handshake is
// over, and the peer owes nothing by itself.
const keepsAlive = stateSet(1<<tcp.Established | 1<<tcp.CloseWait | 1<<tcp.FinWait1 | 1<<tcp.FinWait2 | 1<<tcp.Closing | 1<<tcp.LastAck)

// restKeepalive starts the idle time again, after any segment of the peer's
// (MUST-26).
func (s *step) restKeepalive() {
	c := s.c
	if !c.has(persisting) {
		c.unanswered = 0
	}
	s.armKeepalive(c.keepIdle)
}

// armKeepalive sets the keepalive timer, if there is to be one.
func (s *step) armKeepalive(after Time) {
	c := s.c
	c.keepAt = 0
	if c.has(keepOn) && c.in(keepsAlive) && (c.state != tcp.FinWait2 || c.waitAt == 0) {
		c.keepAt = s.now + after
	}
}

// keepTimeout probes an idle connection, or ends it when several probes got no
// answer: never for one alone (MUST-29).
func (s *step) keepTimeout() {
	c := s.c
	if c.una != c.nxt || s.pending() {
		s.armKeepalive(c.keepIdle) // MUST-26: only when nothing is outstanding
		return
	}
	if s.keepalivesEnd() {
		if s.p.KeepaliveResets {
			s.sendReset()
		}
		s.end(ETIMEDOUT)
		return
	}
	if c.unanswered < 1<<15 {
		c.unanswered++
	}
	// "Such a segment generally contains SEG.SEQ = SND.NXT-1", and no data
	// (SHLD-12): the peer has it, and answers with where it stands.
	seg := s.ackSegment()
	seg.Seq = c.nxt - 1
	s.fx.add(seg)
	s.armKeepalive(c.keepEvery)
}

// keepalivesEnd reports whether the peer did not answer enough probes.
func (s *step) keepalivesEnd() bool {
	c := s.c
	if c.userTimeout > 0 && s.p.UserTimeoutByRetry && c.unanswered > 0 {
		idle := c.keepIdle + Time(c.unanswered)*c.keepEvery
		return idle >= c.userTimeout // Linux: TCP_USER_TIMEOUT takes the count's place
	}
	return c.unanswered >= uint16(max(c.keepProbes, 1))
}

// Keepalive returns the socket's settings: whether keepalive is on, how long the
// connection is idle before the first probe, the time between probes, and how
// many unanswered ones end it.
func (c Conn) Keepalive() (on bool, idle, interval Time, probes uint8) {
	return c.has(keepOn), c.keepIdle, c.keepEvery, c.keepProbes
}
