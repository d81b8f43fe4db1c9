package figure

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

// Result is what a benchmark measured; its JSON form is itself.
type Result interface {
	// Table writes it for people.
	Table(w io.Writer) error
	// Judged are the bounds that were looked at.
	Judged() []Bound
}

// Command is a benchmark as a command.
type Command struct {
	Name string
	// Parse defines the benchmark's own flags and reads all; -json and -check are
	// there already.
	Parse func(fs *flag.FlagSet, args []string) error
	// Measure says on progress what takes long.
	Measure func(ctx context.Context, progress io.Writer) (Result, error)
	// Longest bounds the whole measurement, whatever hangs.
	Longest time.Duration
}

// Run measures until it is done or told to stop, and returns the exit status: 1 if
// -check was given and a bound does not hold, 2 for a wrong flag, 3 for an error.
func (c *Command) Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	fs := flag.NewFlagSet(c.Name, flag.ContinueOnError)
	fs.SetOutput(stderr)
	asJSON := fs.Bool("json", false, "write the result as JSON")
	check := fs.Bool("check", false, "exit with status 1 if a bound does not hold")
	err := c.Parse(fs, args)
	if err == nil && fs.NArg() > 0 {
		err = fmt.Errorf("no argument is wanted, and %q is one", fs.Arg(0))
	}
	if errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", c.Name, err)
		return 2
	}
	ctx, cancel := context.WithTimeout(ctx, c.Longest)
	defer cancel()
	r, err := c.Measure(ctx, stderr)
	if err == nil {
		err = Write(stdout, r, *asJSON)
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", c.Name, err)
		return 3
	}
	if *check && slices.ContainsFunc(r.Judged(), func(b Bound) bool { return !b.Holds }) {
		return 1
	}
	return 0
}

// Write writes a result as JSON or for people.
func Write(w io.Writer, r Result, asJSON bool) error {
	if !asJSON {
		return r.Table(w)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}
