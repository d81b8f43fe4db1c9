package remedy

import (
	"fmt"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
)

// Process is one whose limit of open files is to be raised.
type Process struct {
	PID        int    `json:"pid"`
	StartTicks uint64 `json:"start_ticks"`
	// Open is how many descriptors it has; Soft and Hard is its limit, To what the
	// soft one is to be.
	Open int    `json:"open_files"`
	Soft uint64 `json:"soft"`
	Hard uint64 `json:"hard"`
	To   uint64 `json:"to"`
	// PerHour is how fast its descriptors grow, 0 where no growth was seen; Basis
	// what that rests on.
	PerHour float64              `json:"growth_per_hour"`
	Basis   diagnose.GrowthBasis `json:"growth_basis,omitempty"`
	// FullAt is when the present limit is reached at this growth, FullAfter when the
	// raised one is; nil for never.
	FullAt    *time.Time `json:"full_at"`
	FullAfter *time.Time `json:"full_at_raised"`
}

// rooms knows how much room the processes of a snapshot have.
type rooms struct {
	now       time.Time
	interval  time.Duration
	processes map[int]*observe.Process
	before    map[int]*observe.Process
	report    *diagnose.Report
	wanted    uint64 // the limit that was asked for; 0 is the hard one
	measured  map[int]float64
}

func newRooms(prev, cur *observe.Snapshot, r *diagnose.Report, o *Options) rooms {
	out := rooms{
		now: cur.TakenAt, processes: map[int]*observe.Process{}, before: map[int]*observe.Process{}, report: r,
		wanted: o.OpenFiles, measured: o.Growth,
	}
	for i := range cur.Processes {
		out.processes[cur.Processes[i].PID] = &cur.Processes[i]
	}
	if prev == nil || prev.Host.BootID != cur.Host.BootID {
		return out
	}
	out.interval = cur.Since(prev)
	for i := range prev.Processes {
		p := &prev.Processes[i]
		if now := out.processes[p.PID]; now != nil && now.StartTicks == p.StartTicks {
			out.before[p.PID] = p
		}
	}
	return out
}

// of is a process's room, false if its limit or its descriptors were not seen.
func (r *rooms) of(pid int) (Process, bool) {
	p := r.processes[pid]
	if p == nil || p.NoFileSoft == 0 || p.OpenFiles == 0 {
		return Process{}, false
	}
	out := Process{
		PID: pid, StartTicks: p.StartTicks, Open: p.OpenFiles, Soft: p.NoFileSoft, Hard: p.NoFileHard, To: max(p.NoFileHard, p.NoFileSoft),
	}
	if r.wanted > 0 {
		out.To = max(r.wanted, p.NoFileSoft)
	}
	out.PerHour, out.Basis = r.growth(p)
	out.FullAt, out.FullAfter = fullAt(r.now, out.Open, out.Soft, out.PerHour), fullAt(r.now, out.Open, out.To, out.PerHour)
	return out, true
}

// enough is how many new descriptors between two looks make a rate.
const enough = 3

// growth is measured between the two looks if enough came; else it is what the
// process's findings were estimated to grow by.
func (r *rooms) growth(p *observe.Process) (float64, diagnose.GrowthBasis) {
	if perHour, ok := r.measured[p.PID]; ok {
		return perHour, diagnose.History
	}
	if was := r.before[p.PID]; was != nil && r.interval > 0 && p.OpenFiles-was.OpenFiles >= enough {
		return float64(p.OpenFiles-was.OpenFiles) / r.interval.Hours(), diagnose.TwoLooks
	}
	for i := range r.report.Findings {
		f := &r.report.Findings[i]
		e := f.Exhaustion
		if e == nil || e.Resource != diagnose.OpenFiles || e.At == nil || e.Of != fmt.Sprintf("pid %d", p.PID) {
			continue
		}
		if left := e.At.Sub(r.now).Hours(); left > 0 {
			return float64(e.Limit-e.Used) / left, f.GrowthBasis
		}
	}
	return 0, ""
}

func fullAt(now time.Time, open int, limit uint64, perHour float64) *time.Time {
	switch {
	case uint64(open) >= limit:
		return &now
	case perHour <= 0:
		return nil
	}
	hours := float64(limit-uint64(open)) / perHour
	if hours > 24*3650 {
		return nil
	}
	at := now.Add(time.Duration(hours * float64(time.Hour))).Truncate(time.Second)
	return &at
}

// tightest is the process of the finding's owner that runs out first.
func (r *rooms) tightest(f *diagnose.Finding) (Process, bool) {
	var worst Process
	found := false
	if f.Owner == nil {
		return worst, false
	}
	for _, o := range f.Owner.PIDs {
		p, ok := r.of(o.PID)
		if ok && (!found || p.tighter(&worst)) {
			worst, found = p, true
		}
	}
	return worst, found
}

func (p *Process) tighter(than *Process) bool {
	if p.FullAt != nil && than.FullAt != nil {
		return p.FullAt.Before(*than.FullAt)
	}
	if (p.FullAt != nil) != (than.FullAt != nil) {
		return p.FullAt != nil
	}
	return p.fill() > than.fill()
}

// fill is the part of the limit in use.
func (p *Process) fill() float64 { return float64(p.Open) / float64(max(p.Soft, 1)) }

// text says what room would do for the process.
func (p *Process) text(now time.Time) string {
	has := fmt.Sprintf("pid %d has %d of %d descriptors open", p.PID, p.Open, p.Soft)
	if p.To <= p.Soft {
		return has + ", which is its hard limit: more needs CAP_SYS_RESOURCE and --open-files N"
	}
	return fmt.Sprintf("%s; a limit of %d would last %s", has, p.To, p.lasts(now))
}

// lasts says how long the raised limit lasts at the present growth.
func (p *Process) lasts(now time.Time) string {
	switch {
	case p.PerHour <= 0:
		return "as long as they do not grow (no growth was seen)"
	case p.FullAfter == nil:
		return "for more than ten years at this growth"
	}
	text := fmt.Sprintf("for %s at %s", span(p.FullAfter.Sub(now)), pace(p.PerHour))
	if p.FullAt != nil {
		text += fmt.Sprintf(", instead of %s", span(p.FullAt.Sub(now)))
	}
	return text
}

// pace says how fast descriptors grow.
func pace(perHour float64) string {
	switch {
	case perHour >= 3600:
		return fmt.Sprintf("%.1f a second", perHour/3600)
	case perHour >= 60:
		return fmt.Sprintf("%.1f a minute", perHour/60)
	}
	return fmt.Sprintf("%.1f an hour", perHour)
}

// tight is how full a process's descriptors are for it to be given room unasked.
const tight = 0.8

// masked can be given room at best.
func (pl *planner) masked(f *diagnose.Finding) Part {
	p := Part{
		Subject: subjectOf(f), Count: f.Count,
		Why:     "the connections are gone already, and only their application can close the descriptors: this can't be fixed from outside",
		Instead: "a restart of " + ownerName(f) + " frees all of them at once; for good: " + f.Advice.Fix,
	}
	worst, ok := pl.rooms.tightest(f)
	if !ok {
		return p
	}
	if worst.To > worst.Soft && (worst.fill() >= tight || worst.FullAt != nil && worst.FullAt.Sub(pl.now) < time.Hour) && pl.options.Degree == Auto {
		room := pl.room(f)
		if room.Degree == "" {
			room.Why = p.Why + "; " + room.Why
		} else {
			room.Why = p.Why + "; what can be had is time"
		}
		room.Instead = p.Instead
		return room
	}
	p.Others = []Choice{{Room, worst.To > worst.Soft, worst.text(pl.now)}}
	return p
}

// room gives each process of the finding's owner its act, once a plan. Where there
// is none to give, the part is about the finding's connections.
func (pl *planner) room(f *diagnose.Finding) Part {
	p := Part{Subject: subjectOf(f), Count: f.Count}
	if f.Owner == nil {
		p.Why = "no process is known whose limit could be raised"
		return p
	}
	worst, ok := pl.rooms.tightest(f)
	for _, o := range f.Owner.PIDs {
		room, ok := pl.rooms.of(o.PID)
		if !ok || room.To <= room.Soft || pl.given[o.PID] {
			continue
		}
		pl.given[o.PID] = true
		p.Acts = append(p.Acts, Act{Degree: Room, Finding: f.ID, Cause: f.Cause, Process: &room})
	}
	switch {
	case len(p.Acts) > 0:
		p.Degree, p.Count = Room, len(p.Acts)
		p.Why = "asked for"
		p.When = fmt.Sprintf("at once, and lasts %s", worst.lasts(pl.now))
		p.Frees = freesOfRoom()
		p.Instead = "it ends no connection: " + f.Advice.Fix
	case ok && worst.To <= worst.Soft:
		p.Why = fmt.Sprintf("no room is left: %s", worst.text(pl.now))
		p.Instead = hopeless(&worst, ownerName(f), pl.now) + "; for good: " + f.Advice.Fix
	case ok:
		p.Why = "its processes are in another part of this plan"
	default:
		p.Why = "its limit of open files could not be read"
	}
	return p
}

// hopeless says by when a process that can't be given room must be restarted.
func hopeless(p *Process, name string, now time.Time) string {
	if p.FullAt == nil || p.PerHour <= 0 {
		return fmt.Sprintf("restart %s when it suits: no growth was seen", name)
	}
	return fmt.Sprintf("restart %s within %s: then it has no descriptor left, at %s", name, span(p.FullAt.Sub(now)), pace(p.PerHour))
}

func ownerName(f *diagnose.Finding) string {
	o := f.Owner
	if o == nil {
		return "its program"
	}
	for _, name := range []string{o.Title, o.Comm} {
		if name != "" {
			return fmt.Sprintf("%s (pid %d)", name, o.PID)
		}
	}
	return fmt.Sprintf("pid %d", o.PID)
}
