package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
)

// The exit statuses. Monitoring and scripts rely on them.
const (
	exitOK          = 0
	exitStuck       = 1   // only with --check; also a story that did not go as it says
	exitUsage       = 2   // a wrong command line
	exitFailed      = 3   // could not look, or not save or print what was seen
	exitInterrupted = 130 // 128 + SIGINT, as shells have it
)

// errStuck is --check's answer: not a failure, so nothing is printed.
var errStuck = errors.New("something is stuck")

// usageError is a command line that cannot be obeyed.
type usageError struct {
	err error
	// help is the command whose --help tells more.
	help string
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// interruptedError is a Ctrl-C or SIGTERM before all was done.
type interruptedError struct{ text string }

func (e *interruptedError) Error() string { return "interrupted: " + e.text }

// statusError ends closewait with a status of the command's choice; an empty text
// has been told already.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return e.text }

func isInterrupted(err error) bool {
	_, ok := errors.AsType[*interruptedError](err)
	return ok
}

// env is what a command has of the outside world.
type env struct {
	in       io.Reader
	out, err terminal
}

// run executes one command line and returns its exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second Ctrl-C ends the program at once, whatever it is doing.
	context.AfterFunc(ctx, stop)

	e := &env{in: stdin, out: newTerminal(stdout), err: newTerminal(stderr)}
	root := newRoot(e)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return e.exit(root.ExecuteContext(ctx))
}

// exit says what went wrong and chooses the status.
func (e *env) exit(err error) int {
	usage, wrong := errors.AsType[*usageError](err)
	chosen, isChosen := errors.AsType[*statusError](err)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errStuck), errors.Is(err, errUnexpected):
		return exitStuck
	case e.enough(err):
		return exitOK
	case isChosen:
		if chosen.text != "" {
			e.complain(chosen.text)
		}
		return chosen.status
	case isInterrupted(err):
		e.complain(err.Error())
		return exitInterrupted
	case errors.Is(err, context.Canceled):
		e.complain("interrupted")
		return exitInterrupted
	case wrong:
		e.complain(fmt.Sprintf("%v (see %s --help)", err, usage.help))
		return exitUsage
	}
	e.complain(err.Error())
	return exitFailed
}

// enough: the reader of our output has seen enough (closewait | head). Of another pipe
// that breaks, an audit log's or a report's, this is not true.
func (e *env) enough(err error) bool {
	out, ok := e.out.w.(*os.File)
	failed, named := errors.AsType[*fs.PathError](err)
	return ok && named && failed.Path == out.Name() && errors.Is(failed, syscall.EPIPE)
}

func (e *env) complain(text string) { fmt.Fprintf(e.err.w, "closewait: %s\n", text) }
