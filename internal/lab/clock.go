package lab

import "time"

// clock turns the world's time into the story's. While one waits for a kernel's
// timer it goes so fast that it shows the story's deadline when the kernel's is
// reached; it never shows more before that timer has fired. Else it goes at the
// world's pace, but not far: a busy machine makes no story longer.
type clock struct {
	spans []span
}

// span is a time with one pace, from at on.
type span struct {
	at    time.Time
	story time.Duration
	rate  float64
	// stop is where it stands still; 0 is nowhere.
	stop time.Duration
	// next is the deadline ahead, if there is one.
	next deadline
}

// deadline is when a timer fires: on the world's clock and on the story's.
type deadline struct {
	at    time.Time
	story time.Duration
}

const (
	// maxSpans bounds how far back a time can be asked for.
	maxSpans = 512
	// stride is how far the clock goes while nobody waits.
	stride = time.Millisecond
)

func newClock(at time.Time) *clock { return &clock{spans: []span{{at: at, rate: 1, stop: stride}}} }

// of returns the story's time at a time of the world.
func (c *clock) of(at time.Time) time.Duration {
	i := len(c.spans) - 1
	for i > 0 && c.spans[i].at.After(at) {
		i--
	}
	s := c.spans[i]
	story := s.story + time.Duration(float64(max(at.Sub(s.at), 0))*s.rate)
	if s.stop > 0 {
		story = max(s.story, min(story, s.stop))
	}
	if i+1 < len(c.spans) {
		story = min(story, c.spans[i+1].story)
	}
	return story
}

// when returns when the clock will show a time, if it goes on like this; zero
// if never.
func (c *clock) when(story time.Duration) time.Time {
	s := c.spans[len(c.spans)-1]
	if s.rate <= 0 || s.stop > 0 && story > s.stop {
		return time.Time{}
	}
	return s.at.Add(time.Duration(float64(max(story-s.story, 0)) / s.rate))
}

// steer sets the pace from now on, by the deadlines ahead. goal is for who waits
// for the first of them, but no longer than until then; 0 is nobody.
func (c *clock) steer(now time.Time, due []deadline, goal time.Duration) {
	next := span{at: now, story: c.of(now), rate: 1}
	for _, d := range due {
		d.story = max(d.story, next.story)
		if next.next.at.IsZero() || d.at.Before(next.next.at) {
			next.next.at = d.at
		}
		if next.next.story == 0 || d.story < next.next.story {
			next.next.story = d.story
		}
	}
	next.stop = next.story + stride
	if goal > 0 {
		next.stop = max(goal, next.story, 1)
		if left := next.next.at.Sub(now); len(due) > 0 && left > 0 {
			next.rate = float64(next.next.story-next.story) / float64(left)
		}
	}
	if len(due) > 0 {
		next.stop = max(min(next.stop, next.next.story), 1)
	}
	c.push(next)
}

// fired tells the clock that something has happened. If the deadline ahead has
// come, that is why, and the clock goes on from there.
func (c *clock) fired(at time.Time) {
	s := c.spans[len(c.spans)-1]
	if s.next.at.IsZero() || at.Before(s.next.at.Add(-slack)) || at.Before(s.at) {
		return
	}
	story := max(s.next.story, c.of(at))
	c.push(span{at: at, story: story, rate: 1, stop: story + stride})
}

// jump steps over time.
func (c *clock) jump(now time.Time, to time.Duration) {
	to = max(to, c.of(now))
	c.push(span{at: now, story: to, rate: 1, stop: to + stride})
}

func (c *clock) push(s span) {
	c.spans = append(c.spans, s)
	if len(c.spans) > maxSpans {
		c.spans = append(c.spans[:0], c.spans[len(c.spans)-maxSpans/2:]...)
	}
}

// slack is how much two readings of one kernel's timer may differ: jiffies, and
// what passes between the kernel's reading and ours.
const slack = 12 * time.Millisecond
