package bpfiter

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// tickRate finds HZ. The coarse clocks advance once a tick, and say so
// (KTIME_LOW_RES in kernel/time/posix-timers.c).
func tickRate() (hertz, error) {
	var res unix.Timespec
	if err := unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &res); err != nil {
		return 0, fmt.Errorf("find the kernel's tick rate: %w", err)
	}
	return rateOf(time.Duration(res.Nano()))
}

func rateOf(tick time.Duration) (hertz, error) {
	if tick <= 0 || tick > time.Second {
		return 0, fmt.Errorf("find the kernel's tick rate: the coarse clock ticks every %v", tick)
	}
	// HZ=300 ticks every 3,333,333 ns: round.
	return hertz((time.Second + tick/2) / tick), nil
}

// ceil converts d to jiffies, at least d long.
func (hz hertz) ceil(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	// Ages are 32-bit: no socket is older than half their range.
	const most = 1 << 31
	if d/time.Second >= most/time.Duration(hz) {
		return most
	}
	return uint32((d*time.Duration(hz) + time.Second - 1) / time.Second)
}
