package main

import (
	"errors"

	"github.com/closewait/closewait/internal/kernel/procfs"
)

// alive reports whether a process still runs. One that can't be asked counts as
// running: nothing is concluded from it.
func alive(pid int, startTicks uint64) bool {
	ticks, err := procfs.New("").StartTicks(pid)
	if err != nil {
		return !errors.Is(err, procfs.ErrGone)
	}
	return startTicks == 0 || ticks == startTicks
}
