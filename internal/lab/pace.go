package lab

import (
	"math"
	"slices"
	"time"

	"github.com/closewait/closewait/scenario"
)

// Pace says how the hosts' kernels are set, and how many seconds of the story
// each of their seconds stands for. The kernel counts FIN_WAIT_2 and keepalive in
// whole seconds, and retransmission limits in powers of two; nothing shortens
// TIME_WAIT.
type Pace struct {
	// Real leaves every time as the story has it: 60 s take 60 s. A story is then
	// as long as on any host, but for the times when no timer runs.
	Real bool
	// Waits are the durations of FIN_WAIT_2 and keepalive that the story has, and
	// the seconds that stand for them; ascending in both.
	Waits []Wait
	// RTOMax is tcp_rto_max_ms (120 s if zero); the kernel takes 1 s at least. What
	// it cuts off each wait is added to the story's time.
	RTOMax time.Duration
	// Retries2, OrphanRetries, SYNRetries and SYNACKRetries are tcp_retries2 and so
	// on; 0 is the kernel's default: 15, 0 (which means 8), 6 and 5. With fewer,
	// retransmission ends sooner than in the story's time.
	Retries2, OrphanRetries, SYNRetries, SYNACKRetries int
}

// Wait is a time of the story and the kernel's seconds that stand for it.
type Wait struct {
	Story   time.Duration
	Seconds int
}

// finTimeout is tcp_fin_timeout; idle, every and probes are tcp_keepalive_time,
// _intvl and _probes: Linux's defaults, and the story's.
const (
	finTimeout = 60 * time.Second
	keepIdle   = 2 * time.Hour
	keepEvery  = 75 * time.Second
	rtoMax     = 120 * time.Second
)

// brief is how many seconds the longest wait should take.
const brief = 4

// PaceOf chooses a pace at which a story takes seconds; nil is a story with
// nothing but the kernel's defaults. Times that repeat themselves within another
// (keepalive in FIN_WAIT_2) keep their proportion, so that they come in the same
// order; others only have to stay in order.
func PaceOf(s *scenario.Story) Pace {
	p := Pace{RTOMax: time.Second, Retries2: 3, OrphanRetries: 3, SYNRetries: 2, SYNACKRetries: 2}
	waits := []time.Duration{finTimeout}
	if s != nil {
		waits = append(waits, waitsOf(s)...)
	}
	slices.Sort(waits)
	waits = slices.Compact(waits)
	unit := min(waits[0], finTimeout/2)
	if loses(s) {
		unit = min(unit, finTimeout/brief) // retransmissions take their time, and have to fit in
	}
	if leavesBlocked(s) {
		p.RTOMax = rtoMax
	}
	last := 0
	for _, w := range waits {
		seconds := int(math.Round(float64(w) / float64(unit)))
		if w > finTimeout || seconds > 2*brief {
			seconds = min(seconds, max(brief, last+1))
		}
		last = max(seconds, last+1)
		p.Waits = append(p.Waits, Wait{Story: w, Seconds: last})
	}
	return p
}

// patient is the pace with the kernel's numbers of retransmissions.
func (p Pace) patient() Pace {
	p.Retries2, p.OrphanRetries, p.SYNRetries, p.SYNACKRetries = 0, 0, 0, 0
	return p
}

// loses reports whether a story loses segments.
func loses(s *scenario.Story) bool {
	return s != nil && slices.ContainsFunc(s.Steps, func(step scenario.Step) bool {
		l, ok := step.(*scenario.Link)
		return ok && l.Rule.Fate == scenario.Lose
	})
}

// leavesBlocked reports whether an application leaves data behind that a closed window
// holds up. Such an orphan lives for as long as the window is answered for and its
// probes are less than tcp_rto_max_ms apart (tcp_timer.c, tcp_probe_timer): a shortened
// one would not only shorten its life, but end it.
func leavesBlocked(s *scenario.Story) bool {
	if s == nil {
		return false
	}
	var blocked [2]bool
	for _, step := range s.Steps {
		act, ok := step.(*scenario.Act)
		if !ok {
			continue
		}
		switch act.Call.Op {
		case scenario.Fill:
			blocked[act.Host&1] = true
		case scenario.Close, scenario.Exit:
			if blocked[act.Host&1] {
				return true
			}
		}
	}
	return false
}

// waitsOf are the durations that a story sets.
func waitsOf(s *scenario.Story) []time.Duration {
	var all []time.Duration
	for _, step := range s.Steps {
		act, ok := step.(*scenario.Act)
		if !ok {
			continue
		}
		c := act.Call
		switch {
		case c.Op == scenario.Set && c.Option == scenario.KeepAlive && c.On:
			idle, every := c.Idle, c.Every
			if idle == 0 {
				idle = keepIdle
			}
			if every == 0 {
				every = keepEvery
			}
			all = append(all, idle, every)
		case c.Op == scenario.Set && c.Option == scenario.Linger2 && c.Span > 0,
			c.Op == scenario.Tune && c.Knob == scenario.FinWait2:
			all = append(all, c.Span)
		}
	}
	return all
}

// RealPace is a pace without any shortening.
func RealPace() Pace { return Pace{Real: true} }

// zero reports whether no pace has been chosen.
func (p Pace) zero() bool { return !p.Real && len(p.Waits) == 0 }

// seconds is what stands for a time of the story.
func (p Pace) seconds(story time.Duration) int {
	whole := max(1, int(math.Round(story.Seconds())))
	if p.Real || len(p.Waits) == 0 {
		return whole
	}
	last := p.Waits[0]
	for _, w := range p.Waits {
		if w.Story == story {
			return w.Seconds
		}
		if w.Story < story {
			last = w
		}
	}
	return max(1, int(math.Round(story.Seconds()*float64(last.Seconds)/last.Story.Seconds())))
}

// cap is the longest wait for a retransmission.
func (p Pace) cap() time.Duration {
	if p.RTOMax == 0 {
		return rtoMax
	}
	return p.RTOMax
}

// compressed is what stands for a time counted from the first of a series of
// retransmissions, where each wait is capped: a TCP_USER_TIMEOUT.
func (p Pace) compressed(story time.Duration) time.Duration {
	if p.Real || p.cap() >= rtoMax {
		return story
	}
	var told, taken time.Duration
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, rtoMax) {
		short := min(wait, p.cap())
		if told+wait >= story {
			return max(time.Millisecond, taken+time.Duration(float64(story-told)*float64(short)/float64(wait)))
		}
		told, taken = told+wait, taken+short
	}
}

// nominal is how long a wait for a retransmission would be, had tcp_rto_max_ms
// its usual value.
func (p Pace) nominal(first time.Duration, backoff uint8) time.Duration {
	d := first
	for range backoff {
		if d *= 2; d >= rtoMax {
			return rtoMax
		}
	}
	return d
}
