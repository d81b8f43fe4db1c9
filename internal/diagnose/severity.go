package diagnose

import "time"

// What makes a finding worse than "info". Growth and exhaustion come first,
// count second: many clients keep a few dead pooled connections for good.
const (
	fullCritical  = 0.9           // a resource this full
	nearCritical  = 6 * time.Hour // or full this soon, at the present growth
	fullWarning   = 0.5
	nearWarning   = 7 * 24 * time.Hour
	countWarning  = 100 // stuck sockets of one owner that do not seem to grow
	growthWarning = 1.0 // a stuck connection an hour, with enough arrivals to tell
	// A small pool whose connections are recycled looks like a leak in one look: its
	// estimate alone says nothing.
	estimateWarning = 20
)

func severityOf(v *view, f *Finding) Severity {
	if !f.Stuck {
		return Info
	}
	guessed := f.GrowthBasis == OneLook && f.Count < estimateWarning
	if e := f.Exhaustion; e != nil {
		soon := func(d time.Duration) bool { return e.At != nil && e.At.Sub(v.now) < d }
		switch {
		case e.fill() >= fullCritical, soon(nearCritical) && e.fill() >= 0.1:
			return Critical
		case e.fill() >= fullWarning, soon(nearWarning) && !guessed:
			return Warning
		}
	}
	grows := !guessed && f.GrowthPerHour != nil && *f.GrowthPerHour >= growthWarning
	if grows || f.Count >= countWarning || f.Cause == NeverAccepted {
		return Warning
	}
	return Info
}
