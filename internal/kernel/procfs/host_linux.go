package procfs

import (
	"bytes"
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// userHZ is the kernel's clock ticks in a second, as user space sees them: 100
// on every architecture that Go knows for Linux (asm-generic/param.h).
const userHZ = 100

// Host names the machine and its boot.
type Host struct {
	Name   string
	Kernel string // release, such as "6.1.0-18-amd64"
	BootID string
	// Boot is when the machine started by the present wall clock, suspended time
	// included.
	Boot time.Time
}

// hostSize bounds each of Host's texts: __NEW_UTS_LEN is 64.
const hostSize = 128

// Host reads the machine's name and boot. The name is that of the caller's UTS
// namespace.
func (f FS) Host() (Host, error) {
	const dir = "sys/kernel"
	var h Host
	kernel, err := f.open(dir)
	if err != nil {
		return h, &Error{File: dir, Err: err}
	}
	defer kernel.close()
	for _, text := range []struct {
		name string
		into *string
	}{{"hostname", &h.Name}, {"osrelease", &h.Kernel}, {"random/boot_id", &h.BootID}} {
		var buf [hostSize]byte
		b, err := kernel.read(text.name, buf[:])
		if err != nil {
			return h, &Error{File: dir + "/" + text.name, Err: err}
		}
		*text.into = string(bytes.TrimSpace(b))
	}
	h.Boot = bootTime(time.Now, upTime).Round(0)
	return h, nil
}

// upTime asks the clock, not the btime line of /proc/stat: that one has whole
// seconds only, and its file takes milliseconds on large machines. Start ticks count on
// the same clock, time namespace included (fs/proc/array.c, timens_add_boottime_ns).
func upTime() time.Duration {
	var up unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &up) // it can not fail: the clock is older than 2.6.39
	return time.Duration(up.Nano())
}

// bootTime reads one clock between two looks at the other, and again where time has passed
// between these: who is stopped between two clocks would date everything that much off.
func bootTime(wall func() time.Time, up func() time.Duration) (boot time.Time) {
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

// StartedAt returns the wall-clock time of a process's StartTicks, to a
// hundredth of a second.
func (h Host) StartedAt(ticks uint64) time.Time {
	const most = 1 << 39 // 174 years: a time.Duration ends at 292
	return h.Boot.Add(time.Duration(min(ticks, most)) * (time.Second / userHZ))
}
