package gate

import (
	"os"
	"time"
)

// Options says what to run and what to let pass.
type Options struct {
	// Command is the program and its arguments; the program is looked for in PATH.
	Command []string
	// Grace is for how long a connection may be half-closed and unused. Zero means
	// DefaultGrace.
	Grace time.Duration
	// MaxStuck is how many connections may count before the run fails.
	MaxStuck int
	// Stdin, Stdout and Stderr are the program's; nil means the null device.
	Stdin, Stdout, Stderr *os.File
	// Witness is how to watch; nil means NewPolling(TraceSuspects).
	Witness Witness
	// Waiting, if not nil, is called when the program has ended and processes that it
	// left are watched for a while, with how many and for how long at most.
	Waiting func(processes int, most time.Duration)
}

// DefaultGrace is used where Options.Grace is zero: longer than a busy program
// takes to close, and short enough for a test suite.
const DefaultGrace = 5 * time.Second

func (o Options) grace() time.Duration {
	if o.Grace <= 0 {
		return DefaultGrace
	}
	return o.Grace
}

// StartError says that the program could not be started.
type StartError struct {
	// Status is StatusNotFound or StatusNotExec.
	Status int
	Err    error
}

func (e *StartError) Error() string { return "start the program: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Err }
