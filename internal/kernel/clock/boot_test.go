//go:build linux

package clock

import (
	"testing"
	"time"
)

// Who is stopped between two clocks has read them at two moments.
func TestTheBootIsReadAtOneMoment(t *testing.T) {
	boot := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	now, reads := time.Hour, 0
	read := func() time.Duration {
		if reads++; reads <= 4 {
			now += time.Second // a busy machine
		}
		now += time.Microsecond
		return now
	}
	got := between(func() time.Time { return boot.Add(read()) }, read)
	if off := got.Sub(boot).Abs(); off > 10*time.Microsecond {
		t.Errorf("off by %v", off)
	}
}
