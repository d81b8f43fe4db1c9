package gate

import (
	"time"

	"github.com/closewait/closewait/internal/diagnose"
)

// The statuses of closewait run that are not the program's own.
const (
	StatusLeaked   = 1
	StatusNotExec  = 126 // as of env(1) and timeout(1)
	StatusNotFound = 127
	statusSignal   = 128 // and the signal's number, as shells have it
)

// Outcome is what one run came to.
type Outcome struct {
	Command   []string
	StartedAt time.Time
	Took      time.Duration
	Exit      Exit
	Grace     time.Duration
	MaxStuck  int
	// Stuck were half-closed and unused for longer than Grace; Died, of the
	// others, ended only because their process did, which of Inferred was not seen:
	// they were there at the last look before. Peak is the most that were half-closed
	// at one time, however young.
	Stuck, Died, Inferred, Peak int
	Witness                     Description
	// Survivors are processes that outlived the program and still run.
	Survivors []Survivor
	// Unseen: some of the program's processes or their namespaces could not be looked
	// into, so that nothing is known of their connections.
	Unseen bool
	// Report has a finding for each group of what counts, and what could not be seen.
	Report *diagnose.Report
}

// Exit is how a program ended.
type Exit struct {
	Code int
	// Signal names what ended it, such as "SIGTERM"; empty if it exited itself.
	Signal string
	number int
}

// Survivor is a process that outlived the program that started it.
type Survivor struct {
	PID int `json:"pid"`
	// HalfClosed is how many half-closed connections it holds.
	HalfClosed int `json:"half_closed"`
}

// Leaked reports whether more connections count than are allowed.
func (o *Outcome) Leaked() bool { return o.Stuck+o.Died > o.MaxStuck }

// ProgramStatus is the program's own exit status, as shells have it.
func (o *Outcome) ProgramStatus() int {
	if o.Exit.Signal != "" {
		return statusSignal + o.Exit.number
	}
	return o.Exit.Code
}

// Status is the exit status of the run: the program's own if that says that it
// failed.
func (o *Outcome) Status() int {
	if own := o.ProgramStatus(); own != 0 || !o.Leaked() {
		return own
	}
	return StatusLeaked
}
