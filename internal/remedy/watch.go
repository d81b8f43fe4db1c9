package remedy

import (
	"fmt"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
)

// watch follows the descriptors of processes over many looks.
type watch struct {
	within  time.Duration
	history map[Holder]*track
}

// track is one process's recent past.
type track struct {
	samples []sample
	seen    time.Time
	warned  time.Duration // how much time was left at the last warning; 0 for none
	soft    uint64        // the limit that it was about
}

type sample struct {
	at   time.Time
	open int
}

// mostSamples bounds a track; the rate is over all of them.
const mostSamples = 64

// Warning says that a process runs out of descriptors in spite of the rules.
type Warning struct {
	PID     int       `json:"pid"`
	Program string    `json:"program"`
	Open    int       `json:"open_files"`
	Soft    uint64    `json:"soft"`
	Hard    uint64    `json:"hard"`
	PerHour float64   `json:"growth_per_hour"`
	FullAt  time.Time `json:"full_at"`
	LeftS   float64   `json:"left_s"`
	// Text says what to do.
	Text string `json:"text"`
}

func newWatch(within time.Duration) watch {
	return watch{within: within, history: map[Holder]*track{}}
}

// see takes the processes of a look.
func (w *watch) see(s *observe.Snapshot) {
	for i := range s.Processes {
		p := &s.Processes[i]
		if p.OpenFiles == 0 {
			continue
		}
		key := Holder{PID: p.PID, StartTicks: p.StartTicks}
		t := w.history[key]
		if t == nil {
			t = &track{}
			w.history[key] = t
		}
		t.seen = s.TakenAt
		if len(t.samples) == mostSamples {
			t.samples = append(t.samples[:0], t.samples[mostSamples/2:]...)
		}
		t.samples = append(t.samples, sample{s.TakenAt, p.OpenFiles})
	}
	for key, t := range w.history {
		if t.seen != s.TakenAt {
			delete(w.history, key)
		}
	}
}

// rate is the growth of a track an hour, once enough has been seen for a rate.
func (t *track) rate() (perHour float64, ok bool) {
	n := len(t.samples)
	if n < 3 {
		return 0, false
	}
	first, last := t.samples[0], t.samples[n-1]
	took := last.at.Sub(first.at)
	if took <= 0 {
		return 0, false
	}
	// The present pace is that of the recent half: an act of ours may have changed it.
	recent := t.samples[n/2]
	if late := last.at.Sub(recent.at); late > 0 && last.open-recent.open >= enough {
		return float64(last.open-recent.open) / late.Hours(), true
	}
	return float64(last.open-first.open) / took.Hours(), true
}

// growth is what is known of each process.
func (w *watch) growth() map[int]float64 {
	out := map[int]float64{}
	for key, t := range w.history {
		if perHour, ok := t.rate(); ok {
			out[key.PID] = perHour
		}
	}
	return out
}

// warnings are of processes with stuck or dead connections that run out of
// descriptors soon. One is given again when half of the time has passed, or the limit is another.
func (w *watch) warnings(cur *observe.Snapshot, r *diagnose.Report, p *Policy) []Warning {
	var out []Warning
	rooms := newRooms(nil, cur, r, &Options{Growth: w.growth()})
	done := map[int]bool{}
	for i := range r.Findings {
		f := &r.Findings[i]
		if !f.Stuck || f.Owner == nil {
			continue
		}
		for _, o := range f.Owner.PIDs {
			room, ok := rooms.of(o.PID)
			if !ok || done[o.PID] || room.FullAt == nil || room.PerHour <= 0 {
				continue
			}
			done[o.PID] = true
			t := w.history[Holder{PID: room.PID, StartTicks: room.StartTicks}]
			left := room.FullAt.Sub(cur.TakenAt)
			if t == nil || left > w.within || t.warned > 0 && t.soft == room.Soft && left > t.warned/2 {
				continue
			}
			t.warned, t.soft = max(left, time.Millisecond), room.Soft
			out = append(out, warning(f, &room, left, cur.TakenAt, p))
		}
	}
	return out
}

func warning(f *diagnose.Finding, room *Process, left time.Duration, now time.Time, p *Policy) Warning {
	w := Warning{
		PID: room.PID, Program: ownerName(f), Open: room.Open, Soft: room.Soft, Hard: room.Hard, PerHour: room.PerHour,
		FullAt: *room.FullAt, LeftS: max(left, 0).Seconds(),
	}
	switch {
	case room.To <= room.Soft:
		w.Text = fmt.Sprintf("nothing from outside keeps it from running out of descriptors: %s; for good: %s", hopeless(room, w.Program, now), f.Advice.Fix)
	case p.gives(Room):
		w.Text = fmt.Sprintf("a limit of %d lasts %s; then only a restart helps; for good: %s", room.To, room.lasts(now), f.Advice.Fix)
	default:
		w.Text = fmt.Sprintf("%s, if no rule frees any; a rule with degree room would give it %d, which lasts %s",
			hopeless(room, w.Program, now), room.To, room.lasts(now))
	}
	return w
}

// gives reports whether some rule is of a degree.
func (p *Policy) gives(d Degree) bool {
	for i := range p.Rules {
		if p.Rules[i].Degree == d {
			return true
		}
	}
	return false
}
