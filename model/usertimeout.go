package model

// armStall starts the user timeout, when there is one and something is
// outstanding (RFC 5482 §2).
func (s *step) armStall() {
	c := s.c
	if c.userTimeout > 0 && !s.p.UserTimeoutByRetry && c.stallAt == 0 {
		c.stallAt = s.now + c.userTimeout
	}
}

// userTimeoutExpired is §3.10.8, USER TIMEOUT: "flush all queues, signal the
// user \"error: connection aborted due to user timeout\" in general and for any
// outstanding calls, delete the TCB, enter the CLOSED state, and return."
func (s *step) userTimeoutExpired() { s.timeOut() }
