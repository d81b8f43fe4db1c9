package lab

import (
	"fmt"
	"time"

	"github.com/closewait/closewait/internal/kernel/sockdiag"
	"github.com/closewait/closewait/scenario"
	"github.com/closewait/closewait/tcp"
)

// timer is a kernel's timer that is running, and when it ends.
type timer struct {
	deadline
	kind    uint8 // idiag_timer
	cookie  uint64
	state   tcp.State
	retrans uint8
	running bool
	// due: the kernel is about to fire it.
	due bool
	// fading: it did not show when it was looked for last.
	fading bool
	// byLab: the kernel's own time is too long, the lab ends it at the story's.
	byLab bool
	// notes say how it is shortened; they count if it is waited for.
	notes []string
	// first is the retransmission timeout of the connection before any back-off.
	first time.Duration
}

// watch brings the timers up to date. The clock will not pass them.
func (e *Engine) watch() error {
	for i := range e.timers {
		row, ok, err := e.ticking(i)
		if err != nil {
			return err
		}
		now := time.Now()
		if !ok || row.Timer == 0 {
			e.timers[i] = e.timers[i].gone(ok, row, now)
			continue
		}
		next := e.read(i, row, now)
		if was := e.timers[i]; was.same(next) {
			next.story = was.story
			if !was.byLab {
				next.at = was.at
			}
		}
		e.timers[i] = next
	}
	e.pace(0)
	return nil
}

// pace sets the clock's pace; goal is for who now waits for a timer, until then.
func (e *Engine) pace(goal time.Duration) {
	var due []deadline
	var next timer
	for _, t := range e.timers {
		if !t.running || t.byLab {
			continue
		}
		due = append(due, t.deadline)
		if len(due) == 1 || t.at.Before(next.at) {
			next = t
		}
	}
	if goal > 0 {
		e.note(next.notes...)
	}
	if len(due) == 2 && due[0].at.Before(due[1].at) != (due[0].story < due[1].story) && due[0].story != due[1].story {
		e.note("two timers end in another order than they would in the story's time, for they are not shortened alike")
	}
	e.clock.steer(time.Now(), due, goal)
}

// gone is what to make of a connection without a timer. While a timer fires it
// does not show (tcp_timer.c clears icsk_pending first), so one that ran before
// is believed to be off only when it is off a second time; and octets that are
// not acknowledged always have one.
func (t timer) gone(ok bool, row sockdiag.Row, now time.Time) timer {
	off := timer{first: t.first}
	if !ok {
		return off
	}
	firing := t.running && !t.byLab && !t.fading && t.cookie == row.Cookie && t.state == row.State
	if !firing && row.WQueue == 0 || row.State == tcp.Listen {
		return off
	}
	off.running, off.fading, off.cookie, off.state = true, true, row.Cookie, row.State
	off.at = now
	return off
}

// same reports whether a timer is still the one that was seen before. One that
// is overdue shows as due now, however late it is.
func (t timer) same(next timer) bool {
	diff := next.at.Sub(t.at)
	return t.running && !t.fading && t.kind == next.kind && t.cookie == next.cookie && t.state == next.state && t.retrans == next.retrans &&
		(diff.Abs() < slack || diff > 0 && next.due || next.byLab)
}

// read is a timer as the kernel shows it, with the story's time of its end. It
// began when the last packet passed, or later; not when it is looked at, which
// on a busy machine may be long after.
func (e *Engine) read(host int, row sockdiag.Row, now time.Time) timer {
	t := timer{
		kind: row.Timer, cookie: row.Cookie, state: row.State, retrans: row.Retrans, running: true,
		first: e.timers[host].first,
	}
	t.at, t.due = now.Add(time.Duration(row.Expires)*time.Millisecond), row.Expires == 0
	story, kernel := t.lasts(e.options.Pace, e.waits[host], row)
	began := t.at.Add(-kernel)
	if began.Before(e.heard) {
		began = e.heard
	}
	if began.After(now) {
		began = now
	}
	factor := float64(story) / float64(max(kernel, 1))
	t.story = e.clock.of(began) + time.Duration(float64(min(t.at.Sub(began), kernel))*factor)
	return t
}

// lasts is how long the timer lasts from its beginning, in the story and in the
// kernel.
func (t *timer) lasts(pace Pace, w waits, row sockdiag.Row) (story, kernel time.Duration) {
	switch {
	case row.Timer == timerWait && row.State == tcp.TimeWait:
		// TCP_TIMEWAIT_LEN is a constant: the story's time is the kernel's, and the
		// lab does at that time what the kernel would have done.
		t.byLab = !pace.Real
		return timeWait, timeWait
	case row.Timer == timerWait && w.linger2 > 0:
		return t.shortened(pace, "FIN_WAIT_2 (TCP_LINGER2)", w.linger2)
	case row.Timer == timerWait:
		return t.shortened(pace, "FIN_WAIT_2 (tcp_fin_timeout)", w.finWait2)
	case row.Timer == timerKeepalive && row.Retrans > 0:
		return t.shortened(pace, "the interval of keepalive", w.every)
	case row.Timer == timerKeepalive:
		return t.shortened(pace, "the idle time of keepalive", w.idle)
	}
	return t.backoff(pace, row)
}

// timeWait is TCP_TIMEWAIT_LEN.
const timeWait = time.Minute

// shortened is a wait that is counted in seconds.
func (t *timer) shortened(pace Pace, what string, wait time.Duration) (story, kernel time.Duration) {
	n := pace.seconds(wait)
	if kernel = time.Duration(n) * time.Second; kernel != wait {
		t.notes = append(t.notes, fmt.Sprintf("%s of %s takes %d s", what, scenario.Span(wait), n))
	}
	return wait, kernel
}

// backoff is a wait for a retransmission or a zero-window probe, which
// tcp_rto_max_ms may have shortened.
func (t *timer) backoff(pace Pace, row sockdiag.Row) (story, kernel time.Duration) {
	rto, doubled := time.Duration(row.Info.RTO)*time.Microsecond, row.Info.Backoff
	switch {
	case rto == 0 && row.State == tcp.SynReceived: // inet_diag.c, inet_req_diag_fill: TCP_TIMEOUT_INIT
		rto, doubled = time.Second, row.Retrans
		t.first = rto
	case rto == 0:
		rto = 200 * time.Millisecond
	}
	if doubled == 0 || t.first == 0 {
		t.first = rto
		return rto, rto
	}
	kernel = min(t.first<<min(doubled, 20), pace.cap())
	if story = pace.nominal(t.first, doubled); story <= kernel {
		return kernel, kernel
	}
	t.notes = append(t.notes, fmt.Sprintf("retransmissions and probes that would be more than %s apart are %s apart (tcp_rto_max_ms)",
		scenario.Span(pace.cap()), scenario.Span(pace.cap())))
	if pace.Retries2 > 0 {
		t.notes = append(t.notes, fmt.Sprintf("they are given up after %d or, of an orphan, %d (tcp_retries2, tcp_orphan_retries), not after 15 or 8",
			pace.Retries2, pace.OrphanRetries))
	}
	return story, kernel
}
