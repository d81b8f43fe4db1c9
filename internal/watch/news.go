package watch

import (
	"fmt"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// news tells what has changed about a socket that is still there.
func (t *taking) news(c *connection, before *observe.Socket, fresh, stuck bool) {
	s := &c.socket
	switch {
	case s.Dead():
		t.died(c, before)
	case s.State.HalfClosed() && !c.said.fin && tracked(s):
		t.halfClosed(c, fresh)
	case c.said.fin && !tracked(s):
		t.abandoned(c)
	}
	if s.State == tcp.CloseWait {
		t.zeroRead(c, before, fresh)
	}
	if stuck && !c.stuck {
		c.stuckAt = t.at
		e := c.event(Stuck, t.at, FromLooks)
		e.HalfClosed = c.halfClosedFor(t.at.Add(t.took()))
		t.tell(e)
	}
	c.stuck = stuck
}

// halfClosed tells of the FIN: the peer's, or the one sent first.
func (t *taking) halfClosed(c *connection, fresh bool) {
	if c.finLatest.IsZero() {
		c.finLatest = t.at
	}
	// One that is older than the last look was out of its sight.
	if fresh && !c.finLatest.Before(t.since) {
		c.finEarliest = notBefore(c.finEarliest, t.since)
	}
	kind := FINSent
	if c.socket.State.FinReceived() {
		kind = FINReceived
	}
	e := c.event(kind, t.at, FromLooks).between(c.finEarliest, c.finLatest)
	if h := c.history; h != nil && !h.HalfClosed.IsZero() {
		if t.at.Sub(h.HalfClosed) < t.options.Shortest {
			return // the next look tells it, if it is there still
		}
		e.At, e.WithinS, e.Source = h.HalfClosed, 0, FromSensor
	}
	c.said.fin = true
	if kind == FINReceived {
		e.Note = unread(c)
	}
	t.tell(e)
}

// unread says what nobody has read.
func unread(c *connection) string {
	s := &c.socket
	switch {
	case orphan(s):
		return "nobody has accepted the connection"
	case s.MPTCP:
		return ""
	case s.RecvQ == 1:
		return "nobody has read the FIN"
	case s.RecvQ > 1:
		return fmt.Sprintf("%s before it unread", plural(int(s.RecvQ-1), "byte"))
	}
	return ""
}

// zeroRead tells that a read took the FIN. From looks: Recv-Q, in which the FIN
// counts as one, has become 0. If the FIN alone was unread before, that read
// returned zero; else it may have taken data and the FIN at once (claim C2).
func (t *taking) zeroRead(c *connection, before *observe.Socket, fresh bool) {
	if c.said.zero || !c.said.fin || c.said.ended || c.socket.MPTCP {
		return
	}
	if h := c.history; h != nil && !h.Zero.IsZero() {
		t.tell(c.exactZero(h))
		return
	}
	if c.socket.RecvQ != 0 || orphan(&c.socket) || t.sensorWouldKnow(c) {
		return
	}
	c.said.zero = true
	c.zeroEarliest, c.zeroLatest = t.since, t.at
	e := c.event(ZeroRead, t.at, FromLooks).between(t.since, t.at)
	e.Confidence = diagnose.Likely
	switch {
	case !fresh && before.State == tcp.CloseWait && before.RecvQ == 1:
		e.Confidence = diagnose.Certain
	default:
		e.Note = "the last read may have taken data and the FIN at once"
	}
	e.HalfClosed = c.halfClosedFor(t.at)
	t.tell(e)
}

// sensorWouldKnow: a read that returned zero would be in its history, unless this
// kernel does not show it such reads.
func (t *taking) sensorWouldKnow(c *connection) bool {
	sensor := t.look.Snapshot.Sensor
	return c.history != nil && !c.history.Older && sensor != nil && !sensor.Blind
}

// exactZero is the event of a zero read that the sensor saw.
func (c *connection) exactZero(h *observe.History) Event {
	c.said.zero = true
	c.zeroEarliest, c.zeroLatest = h.Zero, h.Zero
	e := c.event(ZeroRead, h.Zero, FromSensor)
	e.Confidence = diagnose.Certain
	e.HalfClosed = c.halfClosedFor(h.Zero)
	return e
}

// abandoned tells that the application has closed it: what is left is the kernel's,
// which ends it.
func (t *taking) abandoned(c *connection) {
	if c.left++; c.said.ended || t.options.Sensor && c.left < 2 {
		return // the sensor is given one more look's time
	}
	c.said.ended = true
	e := c.event(Ended, t.at, FromLooks).between(t.since, t.at)
	e.HalfClosed = c.halfClosedFor(t.at)
	e.End, e.Confidence, e.Note = t.byApplication(c, diagnose.Certain)
	t.tell(e)
}

// died tells that a connection is gone and its descriptor is not.
func (t *taking) died(c *connection, before *observe.Socket) {
	if c.said.masked || !c.wasHalf && c.looks < 2 {
		return // a RST that its application is just about to be told
	}
	c.said.masked = true
	e := c.event(Masked, t.at, FromLooks).between(t.since, t.at)
	switch e.End, e.Confidence = endOfDead(before), diagnose.Likely; {
	case c.socket.Died != "":
		e.End, e.Confidence = c.socket.Died, diagnose.Certain
	case e.End == EndUnknown:
		e.Confidence = ""
	}
	if h := c.history; h != nil && !h.Ended.IsZero() {
		e.At, e.WithinS, e.Source = h.Ended, 0, FromSensor
		e.End, e.Confidence = h.End, diagnose.Certain
	}
	if c.wasHalf {
		e.HalfClosed = c.halfClosedFor(e.At)
	}
	t.tell(e)
}

// endOfDead infers from the last timer what ended a connection whose descriptor
// stayed. An answered probe, or a write, draws a RST (claims C8 and C9); probes
// or segments that went unanswered point to a silent peer, and leave it open.
func endOfDead(before *observe.Socket) observe.End {
	switch {
	case before.State != tcp.CloseWait:
		return EndUnknown
	case before.Timer.Kind == observe.TimerKeepalive && before.Timer.Retries > 1:
		return observe.EndKeepalive
	case before.Timer.Retries > 1:
		return EndUnknown
	}
	return observe.EndReset
}
