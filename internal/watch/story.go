package watch

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/report"
	"github.com/closewait/closewait/tcp"
)

// Story is what is known of one connection: enough for a view of it.
type Story struct {
	Key   observe.Key
	Flow  tcp.Flow
	State tcp.State
	Owner *Owner
	// FIN and Zero bracket the moments of the first FIN and of the read that took
	// it; Latest is zero for what has not been seen.
	FIN, Zero Moment
	// Opened, StuckAt and Ended are moments, zero where not known or not yet.
	Opened, StuckAt, Ended time.Time
	Stuck                  bool
	// PeerFirst: the first FIN was the peer's. Pending: nobody has accepted it.
	PeerFirst, Pending bool
	End                observe.End
	// RecvQ is what nobody has read, in bytes, the FIN counting as one.
	RecvQ                    uint32
	OpenedBy, ReadBy, ZeroBy []observe.Frame
	// Exact: it is from the sensor.
	Exact bool
}

// Moment is a time between two: exact if they are the same.
type Moment struct{ Earliest, Latest time.Time }

func (m Moment) known() bool { return !m.Latest.IsZero() }

// Story returns what is known of a connection.
func (j *Journal) Story(k observe.Key) (*Story, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := j.conns[k]
	if c == nil {
		return nil, false
	}
	s := &Story{
		Key: k, Flow: c.socket.Flow(), State: c.socket.State, Owner: c.owner, StuckAt: c.stuckAt, Stuck: c.stuck,
		RecvQ: c.socket.RecvQ, FIN: Moment{c.finEarliest, c.finLatest}, Zero: Moment{c.zeroEarliest, c.zeroLatest},
		PeerFirst: c.socket.State.FinReceived() || c.socket.State == tcp.Closed, Pending: orphan(&c.socket) && c.socket.State == tcp.CloseWait,
	}
	s.OpenedBy, s.ReadBy, s.ZeroBy = c.code.opened, c.code.read, c.code.zero
	if h := c.history; h != nil {
		s.remember(h)
	}
	return s, true
}

func (s *Story) remember(h *observe.History) {
	s.Exact = true
	s.Opened, s.Ended, s.End = h.Opened, h.Ended, h.End
	if !h.HalfClosed.IsZero() {
		s.FIN, s.PeerFirst = Moment{h.HalfClosed, h.HalfClosed}, h.FINReceived
	}
	if !h.Zero.IsZero() {
		s.Zero = Moment{h.Zero, h.Zero}
	}
}

// Ladder draws a story as a sequence diagram, with this host at the left. Times
// count from the first thing known; what only looks told is said to be between
// two. Segments that no one can have seen here (the handshake's, data) are left
// out; the ACK of a FIN is shown because the state proves it (claim C4).
func (s *Story) Ladder(now time.Time, loc *time.Location) *report.Ladder {
	begin := s.begin()
	if loc == nil {
		loc = time.UTC
	}
	l := &report.Ladder{Hosts: [2]string{"here", "the peer"}}
	if begin.IsZero() {
		l.Rungs = append(l.Rungs, report.Rung{Note: "nothing is known of when this connection was closed"})
		return l
	}
	l.Title = "0s is " + begin.In(loc).Format("15:04:05.000")
	put := func(at time.Time, r report.Rung) {
		r.At = max(0, at.Sub(begin))
		l.Rungs = append(l.Rungs, r)
	}
	here := func(texts ...report.Remark) [2][]report.Remark { return [2][]report.Remark{texts, nil} }
	there := func(texts ...report.Remark) [2][]report.Remark { return [2][]report.Remark{nil, texts} }
	if !s.Opened.IsZero() {
		put(s.Opened, report.Rung{Beside: here(report.Remark{Text: "opened" + by(s.OpenedBy)}, report.Remark{State: tcp.Established})})
	}
	if s.FIN.known() {
		if s.PeerFirst {
			put(s.FIN.Latest, report.Rung{Arrow: segment(1, tcp.FIN|tcp.ACK), Beside: [2][]report.Remark{{{State: tcp.CloseWait}}, {{Text: "close or shutdown"}}}})
			put(s.FIN.Latest, report.Rung{Arrow: segment(0, tcp.ACK), Beside: there(report.Remark{State: tcp.FinWait2})})
		} else {
			put(s.FIN.Latest, report.Rung{Arrow: segment(0, tcp.FIN|tcp.ACK), Beside: here(report.Remark{Text: "shutdown"}, report.Remark{State: s.State})})
			if s.State == tcp.FinWait2 {
				put(s.FIN.Latest, report.Rung{Arrow: segment(1, tcp.ACK), Beside: there(report.Remark{State: tcp.CloseWait})})
			}
		}
		if note := s.FIN.note("the FIN", loc); note != "" {
			put(s.FIN.Latest, report.Rung{Note: note})
		}
	}
	switch {
	case s.Zero.known():
		put(s.Zero.Latest, report.Rung{Beside: here(report.Remark{Text: "a read returned zero" + by(s.ZeroBy)})})
	case s.Pending:
		put(now, report.Rung{Beside: here(report.Remark{Text: "not accepted yet"})})
	case s.State == tcp.CloseWait:
		put(now, report.Rung{Beside: here(report.Remark{Text: s.unread()})})
	}
	switch {
	case s.Stuck && s.StuckAt.IsZero():
		put(now, report.Rung{Note: "stuck, since before the watch began", Bad: true})
	case s.Stuck:
		put(s.StuckAt, report.Rung{Note: "stuck: older than the grace period, and unused", Bad: true})
	}
	s.close(put, now)
	slices.SortStableFunc(l.Rungs, func(a, b report.Rung) int { return cmp.Compare(a.At, b.At) })
	return l
}

// unread says what was read of a connection whose zero read nobody saw.
func (s *Story) unread() string {
	switch s.RecvQ {
	case 0:
		return "all was read, the FIN too"
	case 1:
		return "the FIN is unread"
	}
	return fmt.Sprintf("%s and the FIN unread", plural(int(s.RecvQ-1), "byte"))
}

// close draws how it ended, or that it has not.
func (s *Story) close(put func(time.Time, report.Rung), now time.Time) {
	switch {
	case s.State != tcp.Closed:
		put(now, report.Rung{Beside: [2][]report.Remark{{{Text: "still " + s.State.String()}}, nil}})
		return
	case s.Ended.IsZero():
		put(now, report.Rung{Note: "the connection is gone; the descriptor stays open", Bad: true})
		return
	}
	r := report.Rung{Beside: [2][]report.Remark{{{State: tcp.Closed}}, nil}}
	if s.End == observe.EndReset {
		r.Arrow = segment(1, tcp.RST)
	}
	put(s.Ended, r)
	put(s.Ended, report.Rung{Note: endWords[s.End] + ": the descriptor stays open", Bad: true})
}

func segment(from int, flags tcp.Flags) *report.Arrow {
	return &report.Arrow{From: from, Segment: tcp.Segment{Flags: flags}, Bare: true}
}

// begin is the first moment known.
func (s *Story) begin() time.Time {
	switch {
	case !s.Opened.IsZero():
		return s.Opened
	case s.FIN.known():
		return s.FIN.Latest
	}
	return s.Ended
}

// note says a bracket in words; "" if it is as good as exact.
func (m Moment) note(what string, loc *time.Location) string {
	latest := m.Latest.In(loc).Format("15:04:05.000")
	switch {
	case m.Earliest.IsZero():
		return what + " came at " + latest + " or before: no look saw it come"
	case m.Latest.Sub(m.Earliest) < 2*time.Millisecond:
		return ""
	}
	return what + " came between " + m.Earliest.In(loc).Format("15:04:05.000") + " and " + latest
}

func by(frames []observe.Frame) string {
	if !named(frames) {
		return ""
	}
	return " in " + in(frames)
}
