package watch

import (
	"strconv"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// Tell takes in what the sensor tells, and returns what is news now. The FIN waits
// for the look that sees the connection: only a look knows whose it is, and most
// connections are half-closed for no longer than a moment. A descriptor that stays
// waits for one, too: most are closed a moment later.
func (j *Journal) Tell(h *observe.Happening) []Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	if h.Kind == observe.HappenedLost {
		return []Event{{Kind: Dropped, At: h.At, Source: FromSensor, Count: h.Lost, Note: "they came faster than they were read"}}
	}
	c := j.conns[observe.Key{NetNS: h.NetNS, Cookie: h.Cookie}]
	if c == nil {
		return j.unseen(h)
	}
	c.history = &h.History
	switch {
	case h.Kind == observe.HappenedZero:
		if c.said.fin && !c.said.zero && !c.said.ended && !h.History.Zero.IsZero() {
			return []Event{c.exactZero(&h.History)}
		}
	case h.Kind == observe.HappenedEnd && !h.Held:
		return c.tellEnd(h, j.options)
	case h.Kind == observe.HappenedRelease:
		return c.tellRelease(h)
	}
	return nil
}

// unseen tells of a connection that came and went between two looks.
func (j *Journal) unseen(h *observe.Happening) []Event {
	x := &h.History
	if h.Kind == observe.HappenedZero || h.Kind == observe.HappenedEnd && h.Held || x.HalfClosed.IsZero() || x.Ended.IsZero() {
		return nil
	}
	if x.Ended.Sub(x.HalfClosed) < j.options.Shortest || j.options.Narrowed || j.last.IsZero() {
		return nil
	}
	c := &connection{key: observe.Key{NetNS: h.NetNS, Cookie: h.Cookie}, history: x}
	c.socket.State, c.socket.Local, c.socket.Remote = h.State, h.Local, h.Remote
	if h.PID != 0 {
		c.owner = &Owner{PID: h.PID, Name: h.Comm}
	}
	return []Event{c.exactEnd(h)}
}

func (c *connection) tellEnd(h *observe.Happening, o Options) []Event {
	if c.said.ended || c.said.masked {
		return nil
	}
	c.said.ended = true
	if x := &h.History; !c.said.fin && !x.HalfClosed.IsZero() && x.Ended.Sub(x.HalfClosed) < o.Shortest {
		return nil
	}
	return []Event{c.exactEnd(h)}
}

func (c *connection) exactEnd(h *observe.Happening) Event {
	at := h.History.Ended
	if at.IsZero() {
		at = h.At
	}
	e := c.event(Ended, at, FromSensor)
	e.End, e.Confidence, e.HalfClosed = h.History.End, diagnose.Certain, c.halfClosedFor(at)
	if h.State != 0 && h.State != tcp.Closed {
		e.State = h.State
	}
	e.Cookie = strconv.FormatUint(h.Cookie, 16)
	return e
}

// tellRelease: the descriptor that stayed is closed. If nobody was told that it
// had stayed, the connection just ended.
func (c *connection) tellRelease(h *observe.Happening) []Event {
	if c.said.ended {
		return nil
	}
	c.said.ended = true
	if !c.said.masked {
		return []Event{c.exactEnd(h)}
	}
	return []Event{c.event(Released, h.At, FromSensor)}
}
