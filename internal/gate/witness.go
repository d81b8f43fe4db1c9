package gate

import (
	"context"
	"time"

	"github.com/closewait/closewait/internal/observe"
)

// Witness watches the sockets of the processes below one. Its methods are called
// by one goroutine.
type Witness interface {
	// Begin starts watching what the process pid starts from now on. An error
	// means that this witness can not watch here.
	Begin(ctx context.Context, pid int) error
	// Look tells what there is now, and what ended since the last Look.
	Look(ctx context.Context) (Sighting, error)
	// Alive reports whether a process that a sighting named still runs.
	Alive(Process) bool
	// Describe says how it watches, and what it can not see.
	Describe() Description
	// Close stops watching.
	Close() error
}

// Sighting is what a witness tells at one moment.
type Sighting struct {
	// Snapshot holds the processes' half-closed sockets and dead descriptors, the
	// listeners, and what waits in their queues.
	Snapshot *observe.Snapshot
	// Processes are all that run below, whatever they hold; also those that have
	// ended and wait to be reaped.
	Processes []Process
	// Died are the connections that were half-closed when the last process that
	// held them ended, since the last sighting.
	Died []Death
}

// Process names a process for good.
type Process struct {
	PID, PPID  int
	StartTicks uint64
	// Ended is set for one that waits to be reaped.
	Ended bool
}

// Death is a connection that only the end of a process ended.
type Death struct {
	// Socket and Processes, its holders, are as they were last seen, At a time.
	Socket    observe.Socket
	Processes []observe.Process
	At        time.Time
	// HalfClosed is for how long it had been so, at least.
	HalfClosed time.Duration
	// Exact is set if it was seen, and not inferred from one look to the next.
	Exact bool
}

// Description says how a witness watches.
type Description struct {
	Name string `json:"name"` // "polling"
	// Exact is set if it saw every connection that the end of a process ended,
	// and none that the process closed itself: none was inferred.
	Exact bool `json:"exact"`
	// Looks is how often it looked, LongestGapMS the longest time from one look to
	// the next, or from Begin to the first.
	Looks        int     `json:"looks"`
	LongestGapMS float64 `json:"longest_gap_ms"`
	// Traced is how many processes were traced, to see what only their exit closes.
	Traced int `json:"traced"`
	// SensorStoppedAt is when somebody stopped the sensor that it watches with, if
	// anybody did: it held on to it, and missed nothing.
	SensorStoppedAt *time.Time `json:"sensor_stopped_at"`
	// Blind is what it can not see, a sentence each.
	Blind []string `json:"blind"`
}
