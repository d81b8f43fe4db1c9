package watch

import (
	"slices"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// absent goes through what the look has no more.
func (t *taking) absent() {
	for k, c := range t.conns {
		if t.seen[k] || t.blind[k.NetNS] {
			continue
		}
		c.missed++
		// The sensor is given one more look's time to say how.
		if t.options.Sensor && !c.said.ended && c.missed < 2 {
			continue
		}
		if !c.said.ended && (c.said.fin || c.said.masked) {
			t.tell(t.ended(c))
		}
		delete(t.conns, k)
	}
}

// ended tells, of a socket that is there no more, what two looks can tell.
func (t *taking) ended(c *connection) Event {
	if c.said.masked {
		e := c.event(Released, t.at, FromLooks).between(t.since, t.at)
		if t.gone(c) {
			e.Note = "its process ended"
		}
		return e
	}
	e := c.event(Ended, t.at, FromLooks).between(t.since, t.at)
	e.HalfClosed = c.halfClosedFor(t.at)
	e.End, e.Confidence, e.Note = t.how(c)
	return e
}

// how a socket ended whose descriptor is gone, too. That the descriptor was
// closed is certain where its process could be looked into; a RST a moment
// before would look the same, so it is likely that nothing else ended it.
func (t *taking) how(c *connection) (observe.End, diagnose.Confidence, string) {
	s := &c.socket
	switch {
	case s.State == tcp.CloseWait && orphan(s):
		if !t.listeners[listener{s.NetNS, s.Local.Port()}] {
			return observe.EndListener, diagnose.Likely, ""
		}
		return EndUnknown, "", "it was accepted and closed, or reset"
	case len(c.holders) == 0:
		return EndUnknown, "", "who held it could not be seen"
	case s.State == tcp.FinWait2 && !t.gone(c):
		return observe.EndPeer, diagnose.Likely, ""
	case t.mayRemain(c) && !t.gone(c):
		return EndUnknown, "", "its descriptor may remain: dead ones could not be looked for"
	}
	return t.byApplication(c, diagnose.Likely)
}

// mayRemain: its descriptor may be one of those that could not be looked into.
func (t *taking) mayRemain(c *connection) bool {
	return t.allUnprobed || slices.ContainsFunc(c.socket.Holders, func(h observe.Holder) bool { return t.unprobed[h.PID] })
}

// byApplication: it was closed, or its process ended and left that to the kernel.
func (t *taking) byApplication(c *connection, sure diagnose.Confidence) (observe.End, diagnose.Confidence, string) {
	if t.gone(c) {
		return observe.EndExited, diagnose.Likely, "" // or closed just before
	}
	return observe.EndClosed, sure, ""
}

// gone reports whether every process that held it has ended.
func (t *taking) gone(c *connection) bool {
	if t.look.Alive == nil || len(c.holders) == 0 {
		return false
	}
	for _, p := range c.holders {
		if t.look.Alive(p.pid, p.startTicks) {
			return false
		}
	}
	return true
}
