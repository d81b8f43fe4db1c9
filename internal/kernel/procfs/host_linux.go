package procfs

import (
	"bytes"
	"time"

	"github.com/closewait/closewait/internal/kernel/clock"
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
	h.Boot = clock.Boot()
	return h, nil
}

// StartedAt returns the wall-clock time of a process's StartTicks, to a
// hundredth of a second.
func (h Host) StartedAt(ticks uint64) time.Time {
	const most = 1 << 39 // 174 years: a time.Duration ends at 292
	return h.Boot.Add(time.Duration(min(ticks, most)) * (time.Second / userHZ))
}
