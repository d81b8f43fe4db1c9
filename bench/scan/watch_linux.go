package main

import (
	"math"
	"os"
	"strconv"
	"strings"
	"time"
)

// watch tells how busy the machine is with other things.
type watch struct {
	begun time.Time
	busy  time.Duration
	own   time.Duration // what the measured commands took
}

func startWatch() *watch { return &watch{begun: time.Now(), busy: busy()} }

// others is how many processors were in use by anything but the commands.
func (w *watch) others() float64 {
	return max(0, float64(busy()-w.busy-w.own)/float64(time.Since(w.begun)))
}

// busy reads how long all processors together have worked since the boot, 0
// where that can't be read.
func busy() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	return parseBusy(string(text))
}

// parseBusy adds up the first line, "cpu  user nice system idle iowait irq
// softirq steal …", in hundredths of a second (proc(5), USER_HZ). It is 0
// where the line says nothing, or more than a Duration holds.
func parseBusy(text string) time.Duration {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	const idle, wait, last = 4, 5, 8
	const tick = 10 * time.Millisecond
	if len(fields) <= last || fields[0] != "cpu" {
		return 0
	}
	var sum uint64
	for i := 1; i <= last; i++ {
		n, err := strconv.ParseUint(fields[i], 10, 48)
		if err != nil {
			return 0
		}
		if i != idle && i != wait {
			sum += n
		}
	}
	if sum > uint64(math.MaxInt64/tick) {
		return 0
	}
	return time.Duration(sum) * tick
}
