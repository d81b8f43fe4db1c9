package lab

import "time"

// settleTime is for how long nothing may have been seen before hosts count as at
// rest: packets between namespaces take microseconds, but their softirq may have
// been put off.
const settleTime = time.Millisecond

// Quiet reports whether nothing is under way but what a rule delays, and no
// timer is about to fire.
func (e *Engine) Quiet() (bool, error) {
	rest, err := e.rest()
	e.restless = !rest
	return rest, err
}

// rest looks at the timers, and then at what has been sent: without a timer, and
// without a packet under way, nothing can happen any more.
func (e *Engine) rest() (bool, error) {
	if err := e.watch(); err != nil {
		return false, err
	}
	if err := e.drainTap(); err != nil {
		return false, err
	}
	return !e.unsettled() && !e.overdue(), nil
}

// unsettled reports whether a packet is under way, or has just been.
func (e *Engine) unsettled() bool {
	now := time.Now()
	return len(e.link.sent) > 0 || e.link.owed(now) || now.Sub(e.stirred) < settleTime
}

// overdue reports whether a timer that should have fired has not yet: the
// kernel's wheel rounds up, by an eighth of long times.
func (e *Engine) overdue() bool {
	now := time.Now()
	for _, t := range e.timers {
		if t.running && !t.byLab && !t.at.After(now.Add(settleTime)) {
			return true
		}
	}
	return false
}

// longestNap bounds how long Advance is deaf to a cancelled context.
const longestNap = 50 * time.Millisecond

// Advance lets time pass: by waiting where a kernel's timer runs, else by
// stepping over it.
func (e *Engine) Advance(most time.Duration) error {
	if err := e.ctx.Err(); err != nil {
		return err
	}
	if e.restless {
		e.restless = false // only what Quiet is waiting for may happen
		return e.nap(settleTime)
	}
	if rest, err := e.rest(); err != nil {
		return err
	} else if !rest {
		return e.nap(settleTime)
	}
	goal := e.Now() + most
	if e.skipBeats(goal) {
		return nil
	}
	own, _ := e.ownDeadline()
	if own > 0 {
		goal = min(goal, own)
	}
	e.pace(goal)
	defer e.pace(0)
	if e.kernelWaits() {
		left := longestNap
		if at := e.clock.when(goal); !at.IsZero() {
			left = min(left, time.Until(at))
		}
		for _, t := range e.timers {
			if t.running && !t.byLab {
				left = min(left, time.Until(t.at))
			}
		}
		if err := e.nap(max(left, settleTime)); err != nil {
			return err
		}
	} else {
		e.clock.jump(time.Now(), goal)
	}
	return e.fire()
}

// nap waits for packets.
func (e *Engine) nap(most time.Duration) error { return e.tap.wait(most) }

// kernelWaits reports whether a timer runs that the kernel will fire.
func (e *Engine) kernelWaits() bool {
	for _, t := range e.timers {
		if t.running && !t.byLab {
			return true
		}
	}
	return false
}

// ownDeadline is when the lab itself has something to do: a delayed segment to
// send on, a TIME_WAIT to end. The host is that of the latter, -1 for none.
func (e *Engine) ownDeadline() (at time.Duration, host int) {
	host = -1
	for _, d := range e.later {
		if at == 0 || d.at < at {
			at = d.at
		}
	}
	for i, t := range e.timers {
		if t.running && t.byLab && (at == 0 || t.story < at) {
			at, host = t.story, i
		}
	}
	return at, host
}

// fire does what the lab itself has to do by now.
func (e *Engine) fire() error {
	for {
		at, host := e.ownDeadline()
		if at == 0 || at > e.Now() {
			return nil
		}
		if host >= 0 {
			if err := e.endTimeWait(host); err != nil {
				return err
			}
			continue
		}
		for i, d := range e.later {
			if d.at == at {
				e.later = append(e.later[:i], e.later[i+1:]...)
				e.stirred = time.Now()
				if f, ok := parseFrame(d.data); ok {
					e.link.oblige(d.to, f.Segment, e.stirred)
				}
				if err := e.tap.inject(d.to, d.data); err != nil {
					return err
				}
				break
			}
		}
	}
}

// endTimeWait ends a TIME_WAIT whose time in the story is up.
func (e *Engine) endTimeWait(host int) error {
	e.note("no setting shortens TIME_WAIT (60 s): it was ended after its time in the story by SOCK_DESTROY, which does what the timer would")
	id := e.flow(host)
	id.Cookie = e.timers[host].cookie // and not a listener of that address
	e.timers[host] = timer{}
	e.stirred = time.Now()
	return ignoreGone(e.hosts[host].destroy(id))
}
