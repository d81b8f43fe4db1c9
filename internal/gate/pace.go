package gate

import "time"

// The rhythm of looks. A short program must be looked at often, and a long one
// must not be slowed down: looks may use a tenth of a processor in the long run,
// and a little ahead at the beginning.
const (
	quick = 3 * time.Millisecond
	slow  = 250 * time.Millisecond
	share = 10 // one part in so many
	ahead = 150 * time.Millisecond
)

// pace decides when to look next.
type pace struct {
	began time.Time
	spent time.Duration
	last  time.Duration
}

func (p *pace) begin(now time.Time) { p.began = now }

func (p *pace) spend(d time.Duration) { p.spent, p.last = p.spent+d, d }

// next is how long to wait from now.
func (p *pace) next(now time.Time) time.Duration {
	allowed := now.Sub(p.began)/share + ahead
	if p.spent < allowed {
		return quick
	}
	return min(max((share-1)*p.last, quick), slow)
}
