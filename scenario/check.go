package scenario

import (
	"fmt"
	"strings"
	"time"

	"github.com/closewait/closewait/tcp"
)

// longest is how long "forever" is where an engine can not show its timers.
const longest = 24 * time.Hour

// fail notes an expectation that did not come true.
func (r *runner) fail(at int, wanted, got, fix string) {
	r.result.Failures = append(r.result.Failures, Failure{
		File: r.story.File, Line: r.lineOf(at), Wanted: wanted, Got: got, at: at, fix: fix,
	})
}

// own notes that an expectation is the engine's own.
func (r *runner) own(index int) bool {
	if index >= 0 {
		r.result.Apart = true
	}
	return index >= 0
}

func (r *runner) checkReturn(a *Act, got Return) {
	want, at := a.Want, a.line
	own := pick(a.Else, func(e ElseReturn) Apart { return e.Apart }, r.names)
	if r.own(own) {
		want, at = &a.Else[own].Want, a.Else[own].line
	}
	if got.meets(want) {
		return
	}
	subject := r.story.Hosts[a.Host] + " " + a.Call.String() + " → "
	wanted := "no error"
	if want != nil {
		wanted = want.String()
	}
	fix := subject + got.String()
	if own >= 0 {
		fix = a.Else[own].Apart.text("→ " + got.String())
	}
	r.fail(at, subject+wanted, got.String(), fix)
}

func (r *runner) checkWire(x *ExpectWire) {
	items, from, at := x.Items, x.From, x.line
	own := pick(x.Else, func(e ElseWire) Apart { return e.Apart }, r.names)
	if r.own(own) {
		items, from, at = x.Else[own].Items, x.Else[own].From, x.Else[own].line
	}
	seen := r.wire
	r.wire = nil
	compare := match
	if from {
		compare = matchEnd
	}
	e := r.note(Checked, r.lineOf(at), wireText(items, from, r.story.Hosts))
	bad := compare(seen, items, r.story.Hosts)
	if bad == nil {
		return
	}
	e.Failed = true
	fix := wireText(needed(seen, items), false, r.story.Hosts)
	if own >= 0 {
		fix = x.Else[own].Apart.text(fix)
	}
	r.fail(at, bad.wanted, bad.got+" (all of it: "+everything(seen, r.story.Hosts)+")", fix)
}

// everything lists what was seen, shortened where it is long.
func everything(seen []WireItem, hosts [2]string) string {
	const most = 16
	rest := ""
	if len(seen) > most {
		rest = fmt.Sprintf(", and %d more", len(seen)-most)
		seen = seen[:most]
	}
	return strings.TrimPrefix(wireText(seen, false, hosts), "expect wire ") + rest
}

func (r *runner) checkHosts(x *Expect) error {
	want, at := x.Hosts, x.line
	own := pick(x.Else, func(e ElseExpect) Apart { return e.Apart }, r.names)
	if r.own(own) {
		want, at = x.Else[own].Hosts, x.Else[own].line
	}
	if err := r.look(); err != nil {
		return err
	}
	got, good := make([]HostWant, len(want)), true
	for i, w := range want {
		forever := w.Forever
		if forever {
			var err error
			if forever, err = r.forever(w); err != nil {
				return err
			}
		}
		got[i] = r.answer(w)
		got[i].Forever = forever
		good = good && got[i] == w
	}
	e := r.note(Checked, r.lineOf(at), expectText(want, r.story.Hosts))
	if good {
		return nil
	}
	e.Failed = true
	fix := expectText(got, r.story.Hosts)
	said := strings.TrimPrefix(fix, "expect ")
	if own >= 0 {
		fix = x.Else[own].Apart.text(fix)
	}
	r.fail(at, strings.TrimPrefix(expectText(want, r.story.Hosts), "expect "), said, fix)
	return nil
}

// answer describes a host as it is, in the terms of what was wanted.
func (r *runner) answer(w HostWant) HostWant {
	o := r.result.End[w.Host]
	got := HostWant{Host: w.Host, RecvQ: -1, SendQ: -1}
	gone := o.State == tcp.Closed && !o.Held
	switch {
	case w.Gone && gone:
		got.Gone = true
	case w.Gone || w.State != 0:
		got.State = o.State
	}
	if w.Held != 0 || w.Gone && !gone {
		got.Held = -1
		if o.Held {
			got.Held = 1
		}
	}
	if w.RecvQ >= 0 {
		got.RecvQ = int64(o.RecvQ)
	}
	if w.SendQ >= 0 {
		got.SendQ = int64(o.SendQ)
	}
	if w.Timer != TimerUnknown {
		got.Timer = o.Timer
		if o.Timer == TimerUnknown {
			got.Timer = w.Timer // what can not be seen is not contradicted
		}
	}
	return got
}

// looks reports whether a host looks as wanted, forever left aside.
func (r *runner) looks(w HostWant) bool {
	w.Forever = false
	return r.answer(w) == w
}

// forever reports whether a host stays as it is until an application acts. An
// engine that does not show its timers is given a day to prove the contrary.
func (r *runner) forever(w HostWant) (bool, error) {
	quiet, err := r.engine.Quiet()
	if err != nil || !quiet {
		return false, err
	}
	unknown := false
	for _, o := range r.result.End {
		switch o.Timer {
		case TimerNone:
		case TimerUnknown:
			unknown = true
		default:
			return false, nil
		}
	}
	if !unknown {
		return true, nil
	}
	before := r.result.End[w.Host]
	if err := r.wait(&Wait{Most: longest}); err != nil {
		return false, err
	}
	return r.result.End[w.Host] == before, nil
}
