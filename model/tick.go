package model

import "github.com/closewait/closewait/tcp"

// tick is §3.10.8: what is due is done, in an order that does not depend on
// which deadline came first.
func (s *step) tick() {
	c := s.c
	due := func(at Time) bool { return at != 0 && at <= s.now }
	if due(c.delayedAt) {
		c.delayedAt = 0
		c.set(ackNow)
	}
	if due(c.stallAt) {
		s.userTimeoutExpired()
		return
	}
	if due(c.waitAt) {
		c.waitAt = 0
		s.waitTimeout()
	}
	if due(c.sendAt) {
		if c.has(persisting) {
			s.probeTimeout()
		} else {
			s.sendTimeout()
		}
	}
	if due(c.keepAt) {
		c.keepAt = 0
		s.keepTimeout()
	}
}

// waitTimeout is the end of waiting: in FIN-WAIT-2, or in TIME-WAIT ("delete the
// TCB, enter the CLOSED state, and return").
func (s *step) waitTimeout() {
	switch s.c.state {
	case tcp.FinWait2:
		s.finWaitTimeout()
	case tcp.TimeWait:
		s.end(OK)
	}
}
