package explore

import (
	"slices"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// Invariant is something that must be true in all that is explored.
type Invariant struct {
	// Name is short, for people and tests.
	Name string
	// From is where it comes from: claims, items of RFC 9293.
	From string
	// Text says it.
	Text string

	// One of these judges.
	step  func(*Step) bool
	whole func(*whole) bool
	graph func(*search, *graph) (culprit int, ok bool)
}

// Step is what one event does to one connection.
type Step struct {
	Profile       *model.Profile
	Event         model.Event
	Before, After model.Conn
	Effects       *model.Effects
}

// whole is a state of both ends, as invariants see it.
type whole struct {
	f          [2]*fact
	wrote, got [2]uint8
	memory     memory
}

// Invariants lists what every search checks.
func Invariants() []Invariant {
	return append(append(stepInvariants(), wholeInvariants()...), graphInvariants()...)
}

func stepInvariants() []Invariant {
	return []Invariant{
		{Name: "diagram", From: "RFC 9293 §3.3.2, figure 5; §3.10",
			Text: "a state is left for another only by a way that the diagram has, or a reset, a time-out or an abort",
			step: (*Step).inDiagram},
		{Name: "close-wait-exits", From: "C6 C8 C9 C13; RFC 9293 §3.10.4, §3.10.5, §3.10.7.4",
			Text: "CLOSE_WAIT is left only by the application's closing, by a RST that arrives, or when the peer does not answer what was sent",
			step: (*Step).leavesCloseWaitRightly},
		{Name: "fin-to-close-wait", From: "C1; RFC 9293 §3.10.7.4, eighth",
			Text: "a FIN that is received takes ESTABLISHED to CLOSE_WAIT, and is never taken twice",
			step: (*Step).takesFin},
		{Name: "fin-acked-by-tcp", From: "C4; RFC 9293 §3.10.7.4, eighth",
			Text: "the TCP itself acknowledges a FIN, at once",
			step: (*Step).acksFin},
		{Name: "fin-is-half", From: "C3 C5; RFC 9293 §3.6",
			Text: "a FIN that was received does not keep the application from writing",
			step: (*Step).writesInCloseWait},
		{Name: "zero-after-data", From: "C2; RFC 9293 §3.9.1.3",
			Text: "a read returns zero only if nothing is left to read",
			step: (*Step).zeroIsLast},
		{Name: "no-rst-for-rst", From: "RFC 9293 §3.10.7.1",
			Text: "no RST answers a RST",
			step: (*Step).answersNoReset},
		{Name: "rst-once", From: "C11; RFC 9293 §3.10.5",
			Text: "who sends a RST of its own accord is CLOSED, and so never repeats it",
			step: (*Step).resetsOnce},
		{Name: "closed-is-quiet", From: "RFC 9293 §3.10.7.1",
			Text: "a CLOSED connection has no timer, and sends nothing but answers",
			step: (*Step).closedIsQuiet},
		{Name: "sequence-forward", From: "RFC 9293 §3.4, §3.8.6 (SHLD-14)",
			Text: "no sequence number goes back: SND.UNA, SND.NXT, RCV.NXT, the window's right edge",
			step: (*Step).goesForward},
		{Name: "ack-is-true", From: "RFC 9293 §3.4, §3.10.7.4",
			Text: "an ACK says what has been received: no less than RCV.NXT was, no more than it is",
			step: (*Step).acksWhatItHas},
		{Name: "states-know-fins", From: "C4 C6; RFC 9293 §3.3.2",
			Text: "FIN_WAIT_2 and TIME_WAIT have their FIN acknowledged, and CLOSE_WAIT, CLOSING, LAST_ACK and TIME_WAIT the peer's received",
			step: (*Step).knowsFins},
		{Name: "no-orphan-in-close-wait", From: "C6; RFC 9293 §3.10.4",
			Text: "CLOSE_WAIT has an application that could close it",
			step: func(s *Step) bool { return s.After.State() != tcp.CloseWait || !s.After.Detached() }},
	}
}

func wholeInvariants() []Invariant {
	return []Invariant{
		{Name: "data-before-zero", From: "C2; RFC 9293 §3.6",
			Text:  "what the peer's writes took before its FIN is read before the zero",
			whole: (*whole).dataBeforeZero},
		{Name: "data-not-invented", From: "RFC 9293 §3.4",
			Text:  "reads return no more than the peer wrote",
			whole: (*whole).dataNotInvented},
		{Name: "acked-is-received", From: "C4; RFC 9293 §3.4",
			Text:  "what is acknowledged, a FIN included, the peer has received, and what is received was sent",
			whole: (*whole).ackedIsReceived},
		{Name: "fin-wait-2-was-heard", From: "C4",
			Text:  "while one end is in FIN_WAIT_2 the other has its FIN: it is in CLOSE_WAIT, past it, or gone",
			whole: (*whole).finWasHeard},
	}
}

// finNow reports whether this step received the peer's FIN.
func (s *Step) finNow() bool { return s.After.FinReceived() && !s.Before.FinReceived() }

// changes reports the states on both sides of a change.
func (s *Step) changes() (from, to tcp.State, changed bool) {
	from, to = s.Before.State(), s.After.State()
	return from, to, from != to
}

// ways returns the arrows of RFC 9293's figure 5 and of its text, CLOSED as an
// end excepted. A segment can bring two at once: the ACK of our FIN, and a FIN.
func ways(from tcp.State) []tcp.State {
	switch from {
	case tcp.Closed:
		return []tcp.State{tcp.SynSent, tcp.Listen}
	case tcp.Listen:
		return []tcp.State{tcp.SynReceived, tcp.SynSent}
	case tcp.SynSent:
		return []tcp.State{tcp.SynReceived, tcp.Established, tcp.CloseWait}
	case tcp.SynReceived:
		return []tcp.State{tcp.Established, tcp.FinWait1, tcp.CloseWait, tcp.Listen, tcp.FinWait2}
	case tcp.Established:
		return []tcp.State{tcp.FinWait1, tcp.CloseWait}
	case tcp.FinWait1:
		return []tcp.State{tcp.FinWait2, tcp.Closing, tcp.TimeWait}
	case tcp.FinWait2, tcp.Closing:
		return []tcp.State{tcp.TimeWait}
	case tcp.CloseWait:
		return []tcp.State{tcp.LastAck}
	}
	return nil
}

func (s *Step) inDiagram() bool {
	from, to, changed := s.changes()
	if !changed {
		return true
	}
	if slices.Contains(ways(from), to) {
		return true
	}
	if to != tcp.Closed {
		return false
	}
	return s.Event.Kind != model.KindArrive || s.arrivalEnds(from)
}

// arrivalEnds reports whether the segment is one that can end a connection: a
// RST, the ACK of a FIN in LAST_ACK, a SYN where RFC 793's rule holds, and data
// for an application that is gone, which SHLD-3 resets, or the FIN that follows it.
func (s *Step) arrivalEnds(from tcp.State) bool {
	seg := &s.Event.Segment
	switch {
	case seg.Has(tcp.RST):
		return true
	case from == tcp.LastAck && seg.Has(tcp.ACK):
		return true
	case seg.Has(tcp.SYN):
		return s.Profile.InsecureSYN || from == tcp.TimeWait
	}
	gone := s.Before.Detached() || s.Before.ReadClosed() && s.Before.WriteClosed()
	return gone && (seg.Len > 0 || seg.Has(tcp.FIN)) && s.sentReset()
}

func (s *Step) leavesCloseWaitRightly() bool {
	from, to, changed := s.changes()
	if !changed || from != tcp.CloseWait {
		return true
	}
	switch s.Event.Kind {
	case model.KindShutdown:
		return to == tcp.LastAck && s.Event.How&model.ShutWrite != 0
	case model.KindClose, model.KindExit:
		return to == tcp.LastAck || to == tcp.Closed && s.sentReset() // SHLD-3: data unread
	case model.KindAbort, model.KindDestroy:
		return to == tcp.Closed
	case model.KindArrive:
		seg := &s.Event.Segment
		return to == tcp.Closed && s.After.EndError() != model.OK &&
			(seg.Has(tcp.RST) || seg.Has(tcp.SYN) && s.Profile.InsecureSYN || s.arrivalEnds(from))
	case model.KindTick:
		return to == tcp.Closed && s.After.EndError() == model.ETIMEDOUT
	}
	return false
}

func (s *Step) takesFin() bool {
	if s.Before.FinReceived() {
		return s.After.State() == tcp.Listen || s.After.FinReceived()
	}
	if !s.finNow() {
		return true
	}
	return s.Event.Kind == model.KindArrive && s.After.State() != tcp.Established &&
		(s.Before.State() != tcp.Established || s.After.State() == tcp.CloseWait)
}

func (s *Step) acksFin() bool {
	if !s.finNow() {
		return true
	}
	for _, seg := range s.Effects.Segments() {
		if seg.Has(tcp.ACK) && seg.Ack == s.After.RcvNxt() {
			return true
		}
	}
	return false
}

func (s *Step) writesInCloseWait() bool {
	if s.Event.Kind != model.KindWrite || s.Before.State() != tcp.CloseWait {
		return true
	}
	err := s.Effects.Result.Err
	return err == model.OK || err == model.EAGAIN
}

func (s *Step) zeroIsLast() bool {
	return !s.Effects.Result.EOF() || s.Before.Unread() == 0
}

func (s *Step) sentReset() bool {
	for _, seg := range s.Effects.Segments() {
		if seg.Has(tcp.RST) {
			return true
		}
	}
	return false
}

func (s *Step) answersNoReset() bool {
	return s.Event.Kind != model.KindArrive || !s.Event.Segment.Has(tcp.RST) || !s.sentReset()
}

func (s *Step) resetsOnce() bool {
	return s.Event.Kind == model.KindArrive || !s.sentReset() || s.After.State() == tcp.Closed
}

func (s *Step) closedIsQuiet() bool {
	if _, on := s.After.NextDeadline(); on && s.After.State() == tcp.Closed {
		return false
	}
	if s.Before.State() != tcp.Closed || s.After.State() != tcp.Closed {
		return true
	}
	if s.Event.Kind == model.KindArrive {
		return s.Effects.Len() <= 1
	}
	return s.Effects.Len() == 0
}

func (s *Step) goesForward() bool {
	b, a := &s.Before, &s.After
	if !b.Synchronized() || !a.Synchronized() {
		return true
	}
	edge := func(c *model.Conn) tcp.Seq { return c.RcvNxt().Add(c.RcvWnd()) }
	closed := a.State() == tcp.Closed // which has no window
	return !a.SndUna().Before(b.SndUna()) && !a.SndNxt().Before(b.SndNxt()) && !a.SndNxt().Before(a.SndUna()) &&
		!a.RcvNxt().Before(b.RcvNxt()) && (closed || !edge(a).Before(edge(b)))
}

func (s *Step) acksWhatItHas() bool {
	if s.After.State() == tcp.Closed || s.After.State() == tcp.Listen {
		return true // what they send answers the segment's numbers
	}
	said := s.Before.RcvNxt() // what comes before the arriving data are taken may say this still
	for _, seg := range s.Effects.Segments() {
		if !seg.Has(tcp.ACK) || seg.Has(tcp.RST) {
			continue
		}
		if seg.Ack.Before(said) && s.Before.Synchronized() || seg.Ack.After(s.After.RcvNxt()) {
			return false
		}
		said = seg.Ack
	}
	return true
}

func (s *Step) knowsFins() bool {
	a := &s.After
	switch a.State() {
	case tcp.FinWait2:
		return a.FinAcked() && !a.FinReceived()
	case tcp.TimeWait:
		return a.FinAcked() && a.FinReceived()
	case tcp.CloseWait, tcp.Closing, tcp.LastAck:
		return a.FinReceived() && !a.FinAcked()
	}
	return true
}

func (w *whole) dataBeforeZero() bool {
	for side, f := range w.f {
		ordinary := f.has(finHere) && f.is&(failed|readClosed|detached) == 0
		if w.memory&zero(side) != 0 && ordinary && w.got[side] != w.wrote[1-side] {
			return false
		}
	}
	return true
}

func (w *whole) dataNotInvented() bool {
	return w.got[0] <= w.wrote[1] && w.got[1] <= w.wrote[0]
}

func (w *whole) ackedIsReceived() bool {
	for side, f := range w.f {
		peer := w.f[1-side]
		if !f.has(synced) || !peer.has(synced) || f.state == tcp.Closed || peer.state == tcp.Closed {
			continue // CLOSED has forgotten what it was
		}
		fin := tcp.Seq(0)
		if f.has(finQueued) {
			fin = 1
		}
		acked, received, sent := f.una-f.iss, peer.rcvNxt-peer.irs, f.end-f.iss+fin
		if acked.After(received) || received.After(sent) {
			return false
		}
	}
	return true
}

func (w *whole) finWasHeard() bool {
	for side, f := range w.f {
		peer := w.f[1-side]
		if f.state == tcp.FinWait2 && !peer.has(finHere) && peer.state != tcp.Closed && peer.state != tcp.Listen {
			return false
		}
	}
	return true
}
