// Package clock places what the kernel dates since the boot in the wall clock's time.
// It needs no privilege and keeps nothing between calls.
package clock

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// Boot is the moment of the boot, as far as the wall clock is right now: what
// CLOCK_BOOTTIME counts from. The btime line of /proc/stat has whole seconds only, and
// its file takes milliseconds on large machines. Processes' start ticks count on the
// same clock, time namespace included (fs/proc/array.c, timens_add_boottime_ns).
func Boot() time.Time { return between(time.Now, up).Round(0) }

func up() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) // it can not fail: the clock is as old as 2.6.39
	return time.Duration(t.Nano())
}

// between reads one clock between two looks at the other, and again where time has passed
// between these: who is stopped between two clocks would date everything that much off.
func between(wall func() time.Time, up func() time.Duration) (boot time.Time) {
	const near = 20 * time.Microsecond
	least := time.Duration(math.MaxInt64)
	for tries := 0; tries < 10 && least > near; tries++ {
		before := up()
		now := wall()
		if apart := up() - before; apart < least {
			boot, least = now.Add(-before-apart/2), apart
		}
	}
	return boot
}
