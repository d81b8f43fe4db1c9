// Command closewait finds, groups and explains TCP connections that are stuck
// half-closed. This package holds the command line alone: flags, files, the
// terminal and exit statuses; what is done is done in internal.
//
// One goroutine runs the command; a signal cancels its context. No privilege is
// needed to start: what could not be seen without is said in the report.
package main

import (
	"os"
	"runtime/debug"

	"github.com/closewait/closewait/internal/lab"
	"github.com/closewait/closewait/internal/misbehave"
)

// gcPercent puts the first garbage collection at 64 MB instead of 4. A look keeps
// nearly all that it allocates, and then the process ends: collecting would only
// walk through a growing snapshot again and again, and compete for the second
// processor.
const gcPercent = 1600

func main() {
	misbehave.Child() // the demo's programs are this binary, started again
	lab.Child()       // and so are the lab's applications
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
