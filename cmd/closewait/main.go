// Command closewait finds, groups and explains TCP connections that are stuck
// half-closed. This package holds the command line alone: flags, files, the
// terminal and exit statuses; what is done is done in internal.
//
// One goroutine runs the command; a signal cancels its context. No privilege is
// needed to start: what could not be seen without is said in the report.
package main

import (
	"os"

	"github.com/closewait/closewait/internal/misbehave"
)

func main() {
	misbehave.Child() // the demo's programs are this binary, started again
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
