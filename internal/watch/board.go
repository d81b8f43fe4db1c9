package watch

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/report"
)

// Bounds of what a Board keeps.
const (
	mostPoints = 300  // of a trend
	mostTrends = 2000 // findings with one
	mostEvents = 500  // the latest
)

// Board keeps what a live view shows: the latest report, the trend of each
// finding, and the latest events.
type Board struct {
	trends  map[string]*trend
	events  []Event
	dropped uint64
	takes   int
}

// trend is a finding's size, look by look.
type trend struct {
	points []point
	take   int // the last that had it
}

type point struct {
	at    time.Time
	count int
}

// NewBoard begins one.
func NewBoard() *Board { return &Board{trends: map[string]*trend{}} }

// Picture is a Board at one moment. It is not changed afterwards.
type Picture struct {
	Report *diagnose.Report
	Rows   []Row
	// Events are the latest, oldest first.
	Events []Event
	// Dropped is how many events were lost since the beginning.
	Dropped uint64
}

// Row is one finding and how it came along.
type Row struct {
	*diagnose.Finding
	// Counts are its sizes, look by look, oldest first.
	Counts []int
	// PerHour is how fast it grows, over Over: the more recent half of what was
	// watched, so that a burst long ago does not count. If Over is 0, too little was
	// seen, and PerHour is the diagnosis's estimate; Known tells whether there is one.
	PerHour float64
	Over    time.Duration
	Known   bool
	Ages    Ages
}

// enough is how long a trend must be for its slope to say something.
const enough = 10 * time.Second

// Take takes a diagnosed look and what was told since the one before.
func (b *Board) Take(r *diagnose.Report, events []Event) *Picture {
	b.takes++
	for i := range events {
		if events[i].Kind == Dropped {
			b.dropped += events[i].Count
		}
	}
	b.events = append(b.events, events...)
	if over := len(b.events) - mostEvents; over > 0 {
		b.events = slices.Clone(b.events[over:])
	}
	p := &Picture{Report: r, Events: slices.Clone(b.events), Dropped: b.dropped, Rows: make([]Row, 0, len(r.Findings))}
	for i := range r.Findings {
		p.Rows = append(p.Rows, b.row(&r.Findings[i], r.TakenAt))
	}
	b.forget(r.TakenAt)
	return p
}

func (b *Board) row(f *diagnose.Finding, at time.Time) Row {
	row := Row{Finding: f, Ages: agesOf(f)}
	t := b.trends[f.ID]
	if t == nil && len(b.trends) < mostTrends {
		t = &trend{}
		if b.takes > 1 { // it was not there before
			t.points = append(t.points, point{at, 0})
		}
		b.trends[f.ID] = t
	}
	if f.GrowthPerHour != nil {
		row.PerHour, row.Known = *f.GrowthPerHour, true
	}
	if t == nil {
		return row
	}
	t.take = b.takes
	t.add(point{at, f.Count})
	for _, p := range t.points {
		row.Counts = append(row.Counts, p.count)
	}
	if from := t.middle(at); at.Sub(from.at) >= enough/2 {
		row.Over, row.Known = at.Sub(from.at), true
		row.PerHour = float64(f.Count-from.count) / row.Over.Hours()
	}
	return row
}

// middle is the last point that is at least half as old as the first.
func (t *trend) middle(at time.Time) point {
	half := at.Sub(t.points[0].at) / 2
	i := len(t.points) - 1
	for i > 0 && at.Sub(t.points[i].at) < half {
		i--
	}
	return t.points[i]
}

func (t *trend) add(p point) {
	t.points = append(t.points, p)
	if len(t.points) > mostPoints {
		t.points = slices.Delete(t.points, 0, 1)
	}
}

// forget drops the trends of findings that are no more. One that was away for a
// moment only (a pool that empties and fills) goes on, as 0.
func (b *Board) forget(at time.Time) {
	for id, t := range b.trends {
		switch away := b.takes - t.take; {
		case away > mostPoints/10:
			delete(b.trends, id)
		case away > 0:
			t.add(point{at, 0})
		}
	}
}

// Sort is an order of rows.
type Sort int

// The orders. BySeverity is the diagnosis's own.
const (
	BySeverity Sort = iota
	ByCount
	ByGrowth
	ByAge
	ByOwner
	sorts
)

// String names the order.
func (s Sort) String() string {
	return [...]string{"severity", "count", "growth", "age", "owner"}[s]
}

// Next is the order after s.
func (s Sort) Next() Sort { return (s + 1) % sorts }

// Arrange returns the rows that match a filter text, in an order.
func (p *Picture) Arrange(filter string, s Sort) []Row {
	var out []Row
	for i := range p.Rows {
		if p.Rows[i].Matches(filter) {
			out = append(out, p.Rows[i])
		}
	}
	slices.SortStableFunc(out, func(a, b Row) int {
		switch s {
		case ByCount:
			return cmp.Compare(b.Count, a.Count)
		case ByGrowth:
			return cmp.Compare(b.PerHour, a.PerHour)
		case ByAge:
			return cmp.Compare(b.Oldest.AtLeastS, a.Oldest.AtLeastS)
		case ByOwner:
			return strings.Compare(a.ownerName(), b.ownerName())
		}
		return 0
	})
	return out
}

func (r *Row) ownerName() string {
	if r.Owner == nil {
		return ""
	}
	return report.OwnerName(r.Owner)
}

// Matches reports whether every word of the filter is found somewhere in what is
// known of the finding.
func (r *Row) Matches(filter string) bool {
	words := strings.Fields(strings.ToLower(filter))
	if len(words) == 0 {
		return true
	}
	text := strings.ToLower(r.text())
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

func (r *Row) text() string {
	parts := []string{
		string(r.Cause), string(r.Severity), r.State.String(), string(r.Direction), r.Local, r.Remote, r.NetNS.Name, report.Headline(r.Finding),
	}
	if !r.Stuck {
		parts = append(parts, "ok")
	}
	if o := r.Owner; o != nil {
		parts = append(parts, o.Title, o.Comm, o.Exe, o.Container, o.Pod, o.Unit, o.Cmdline)
		for _, p := range o.PIDs {
			parts = append(parts, strconv.Itoa(p.PID))
		}
	}
	return strings.Join(parts, "\n")
}
