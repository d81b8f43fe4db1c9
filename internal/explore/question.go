package explore

import (
	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// Question is something that may happen, and of which the shortest story is
// wanted.
type Question struct {
	// Name is what --find takes.
	Name string
	// From names the claims it is about.
	From string
	// Text says what is looked for.
	Text string

	// What answers: something that a step does, or that is true of a state, seen
	// from one side; with both, a step that leads to such a state.
	step  func(*Step) bool
	whole func(w *whole, side int) bool
	// stuck: or that is so, and stays so for ever, if no application does anything.
	stuck func(f, peer *fact) bool
	// remote: it happens to what a story calls the remote end.
	remote bool
}

// Questions lists what every search answers.
func Questions() []Question {
	return []Question{
		{Name: "stuck-forever", From: "C10 C14",
			Text: "CLOSE_WAIT that nothing but the local application can end: the remote one is gone, nothing is in flight, no timer will help",
			stuck: func(f, peer *fact) bool {
				return f.state == tcp.CloseWait && (peer.has(detached) || peer.state == tcp.Closed)
			}},
		{Name: "ended-by-rst", From: "C8 C9 C10 C12",
			Text: "CLOSE_WAIT ended by a RST that arrives",
			step: func(s *Step) bool { return s.leaves(tcp.CloseWait, model.KindArrive) && s.Event.Segment.Has(tcp.RST) }},
		{Name: "ended-by-timeout", From: "C13",
			Text: "CLOSE_WAIT ended by the retransmission limit, or keepalive's",
			step: func(s *Step) bool { return s.leaves(tcp.CloseWait, model.KindTick) }},
		{Name: "masked", From: "C8 C9",
			Text:  "a connection that ended in CLOSE_WAIT, and an application that holds the dead descriptor",
			whole: (*whole).masked},
		{Name: "both-closed", From: "C6",
			Text:  "both ends CLOSED, in order, and both applications gone: TIME_WAIT was the last",
			step:  func(s *Step) bool { return s.leaves(tcp.TimeWait, model.KindTick) },
			whole: (*whole).bothClosed, remote: true},
		{Name: "half-close", From: "C3 C5",
			Text:   "data that the remote reads in FIN_WAIT_2: a valid simplex connection",
			remote: true,
			step: func(s *Step) bool {
				r := s.Effects.Result
				return s.Before.State() == tcp.FinWait2 && r.Call == model.KindRead && r.Err == model.OK && r.N > 0
			}},
		{Name: "close-unread", From: "C6; RFC 9293 SHLD-3",
			Text: "CLOSE_WAIT left by a RST of its own: closed with data unread",
			step: func(s *Step) bool {
				from, to, _ := s.changes()
				return from == tcp.CloseWait && to == tcp.Closed && s.sentReset() && s.Event.Kind != model.KindAbort
			}},
		{Name: "silent-expiry", From: "C10",
			Text:   "FIN_WAIT_2 that ends by its timer, and no RST tells the peer",
			step:   func(s *Step) bool { return s.leaves(tcp.FinWait2, model.KindTick) && !s.sentReset() },
			remote: true},
		{Name: "rst-expiry", From: "C10 C11",
			Text:   "FIN_WAIT_2 that ends by its timer, with a RST",
			step:   func(s *Step) bool { return s.leaves(tcp.FinWait2, model.KindTick) && s.sentReset() },
			remote: true},
		{Name: "fin-wait-2-forever", From: "RFC 9293 §3.10.8 has no timer for it",
			Text:   "FIN_WAIT_2 without an application, and a peer that is gone: no FIN will come, and no timer is set",
			remote: true,
			stuck: func(f, peer *fact) bool {
				return f.state == tcp.FinWait2 && f.has(detached) && peer.state == tcp.Closed
			}},
		{Name: "rst-ignored", From: "C11; RFC 5961 §3",
			Text: "a RST that arrives, and is not believed",
			step: func(s *Step) bool { return s.Effects.Dropped == model.ResetIgnored }},
		{Name: "simultaneous-close", From: "RFC 9293 §3.6, figure 13",
			Text:  "both ends in CLOSING",
			whole: func(w *whole, _ int) bool { return w.f[0].state == tcp.Closing && w.f[1].state == tcp.Closing }},
	}
}

// leaves reports whether an event of a kind took the connection from a state to
// CLOSED.
func (s *Step) leaves(from tcp.State, by model.Kind) bool {
	return s.Event.Kind == by && s.Before.State() == from && s.After.State() == tcp.Closed
}

func (w *whole) masked(side int) bool {
	f := w.f[side]
	return f.state == tcp.Closed && f.has(failed|finHere) && f.is&(detached|finQueued) == 0
}

func (w *whole) bothClosed(int) bool {
	for _, f := range w.f {
		if f.state != tcp.Closed || !f.has(detached) || f.has(failed) || !f.has(finHere|finAcked) {
			return false
		}
	}
	return true
}

// judge puts the questions and invariants that need no graph.
type judge struct {
	invariants []Invariant
	questions  []Question
}

func newJudge() *judge { return &judge{Invariants(), Questions()} }

// step judges what one event does to one connection: a bit for each invariant
// that it breaks and each question that it answers.
func (j *judge) step(s *Step) (broken, hits uint32) {
	for i := range j.invariants {
		if judge := j.invariants[i].step; judge != nil && !judge(s) {
			broken |= 1 << i
		}
	}
	for i := range j.questions {
		if asks := j.questions[i].step; asks != nil && asks(s) {
			hits |= 1 << i
		}
	}
	return broken, hits
}

// whole judges a state; hits are those of each side.
func (j *judge) whole(w *whole) (broken uint32, hits [2]uint32) {
	for i := range j.invariants {
		if judge := j.invariants[i].whole; judge != nil && !judge(w) {
			broken |= 1 << i
		}
	}
	for i := range j.questions {
		asks := j.questions[i].whole
		for side := range hits {
			if asks != nil && j.questions[i].step == nil && asks(w, side) {
				hits[side] |= 1 << i
			}
		}
	}
	return broken, hits
}
