package model

import "github.com/closewait/closewait/tcp"

// Essence returns the same connection without what p's rules can not tell apart
// from now on: how long ago it was, once it is long enough; how often, beyond
// the limit. It behaves the same, but for what Retries and an orphan's RecvQ
// say. With FixedRTO and without R2Base, a search that compares Essences has
// finitely many states: probing, say, may last for ever.
func (c Conn) Essence(p *Profile, now Time) Conn {
	s := step{p: p, c: &c, now: now}
	s.forgetChallenge()
	if c.has(detached) {
		c.copied = c.rcvNxt // but for tools, nobody has not read it
	}
	if !c.timesBackoff(p) {
		c.backoffAt = 0
	}
	if c.heardAt != 0 {
		if c.heardAt = max(c.heardAt, now-s.finWaitSpan()); c.heardAt == 0 {
			c.heardAt = -1 // 0 means "no such time"
		}
	}
	limit := uint16(max(p.R1, p.R2, p.OrphanR2, p.SYNRetries+p.SYNLinear, p.SYNACKRetries, 1))
	c.retries = min(c.retries, limit)
	if c.userTimeout == 0 {
		c.unanswered = min(c.unanswered, max(limit, uint16(c.keepProbes)))
	}
	if !p.FixedRTO {
		return c // the interval between probes may still change
	}
	for at := s.probeInterval(); c.backoff > 0; c.backoff-- {
		shorter := c
		shorter.backoff--
		if (&step{p: p, c: &shorter}).probeInterval() != at {
			break
		}
	}
	return c
}

// timesBackoff reports whether it matters when the first retransmission of a
// row, or the first probe, was.
func (c *Conn) timesBackoff(p *Profile) bool {
	return p.R2Base > 0 || p.SYNLinear > 0 && c.state == tcp.SynSent || c.userTimeout > 0 && p.UserTimeoutByRetry
}
