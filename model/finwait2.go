package model

import "github.com/closewait/closewait/tcp"

// enterFinWait2 is FIN-WAIT-2: our FIN is acknowledged, the peer may go on
// sending (C5). Its FIN leads to TIME-WAIT. RFC 9293 lets it last for ever.
// It reports whether the connection is still there.
func (s *step) enterFinWait2() bool {
	c := s.c
	if c.has(detached) && c.linger2 < 0 {
		s.sendReset() // Linux: TCP_LINGER2 below 0
		s.end(OK)
		return false
	}
	s.startFinWait()
	return true
}

// startFinWait starts the FIN-WAIT-2 timer where the profile has one: a
// deviation from RFC 9293 §3.10.8, which has none.
func (s *step) startFinWait() {
	c := s.c
	if c.state != tcp.FinWait2 || c.waitAt != 0 || !s.finWaitStarts() {
		return
	}
	lasts := s.finWaitSpan()
	if lasts <= 0 {
		return
	}
	c.heardAt = 0
	if s.p.FinWait2.Recheck > 0 {
		c.heardAt = s.now
	}
	if mini := s.p.FinWait2.Mini; mini > 0 && lasts > mini {
		lasts -= mini
		c.set(miniWait)
	}
	c.waitAt = s.now + lasts
	c.keepAt = 0
}

// finWaitStarts reports whether the profile's condition is met.
func (s *step) finWaitStarts() bool {
	switch s.p.FinWait2.Starts {
	case StartOnClose:
		return s.c.has(detached)
	case StartOnReadClosed:
		return s.c.has(detached) || s.c.has(readShut)
	case StartAlways:
		return true
	}
	return false
}

// finWaitSpan is how long FIN-WAIT-2 may last: TCP_LINGER2 or the profile's
// time, and some RTOs at least (Linux, tcp_fin_time).
func (s *step) finWaitSpan() Time {
	lasts := s.p.FinWait2.Lasts
	if s.c.linger2 > 0 {
		lasts = s.c.linger2
	}
	if lasts == 0 {
		return 0
	}
	return max(lasts, s.base()/10*Time(s.p.FinWait2.MinRTOs10))
}

// miniSocket reports whether all that is left of the connection is the record
// that Linux keeps of an orphan in FIN-WAIT-2: it believes any RST in the window,
// and answers a SYN there with one (tcp_minisocks.c tcp_timewait_state_process).
func (s *step) miniSocket() bool { return s.c.mini(s.p) }

func (c *Conn) mini(p *Profile) bool {
	return p.FinWait2.Mini > 0 && c.state == tcp.FinWait2 && c.has(detached) && c.waitAt != 0 && !c.has(miniWait)
}

// finWaitTimeout ends FIN-WAIT-2 by time. Whether the peer is told decides
// whether its CLOSE_WAIT can last for ever (C10, C14).
func (s *step) finWaitTimeout() {
	c := s.c
	f := &s.p.FinWait2
	if c.has(miniWait) {
		c.clear(miniWait)
		c.waitAt = s.now + max(s.finWaitSpan()-f.Mini, 1)
		return
	}
	if f.Recheck > 0 && c.heardAt != 0 && s.now-c.heardAt < s.finWaitSpan() {
		c.waitAt = s.now + f.Recheck
		return
	}
	switch f.Expiry {
	case SendRST:
		s.sendReset()
	case SendRSTACK:
		s.sendResetAs(true)
	}
	err := OK
	if !c.has(detached) && !c.has(readShut) {
		err = ECONNRESET // the application waits for data still: a local reset
	}
	s.end(err)
}
