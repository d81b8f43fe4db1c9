package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/closewait/closewait/internal/collect"
	"github.com/closewait/closewait/internal/gate"
	"github.com/closewait/closewait/internal/report"
)

// gated is one run of the run command.
type gated struct {
	*env
	grace    length
	maxStuck bounded
	json     string
	junit    string
	witness  choice
	color    choice
	width    bounded
}

func newRun(e *env) *cobra.Command {
	g := &gated{env: e}
	cmd := &cobra.Command{
		Use:   "run [flags] -- command [argument…]",
		Short: "Run a program or a test suite, and fail if it leaks connections",
		Long: `run starts a program, watches the connections of all its processes, and fails
if they leave or build up stuck half-closed ones. What counts is

  - a connection that is half-closed and unused for longer than --grace, while
    the program runs or in a process that outlives it;
  - one that the peer had closed and only the exit of its process ended.

The report goes to standard error when the program has ended, and says what
could not be seen. The program has the terminal, standard input and output to
itself; signals are passed on to it. No privilege is needed.

The sockets are looked at every few milliseconds. With privilege a sensor in the
kernel tells how each connection ended, and which code opened it: the one that
"closewait sensor start" loaded, or one for the run alone. Without, a process that
holds a connection which looks stuck is traced (ptrace) from then on, to see what
only its exit closes. --witness poll traces none: for programs that trace others
(debuggers, sanitizers at exit). --witness trace follows every process from its
start, so that none ends without a look, however busy the machine; setuid
programs (sudo) then get no more rights.

Exit status: the program's own if that is not 0 (128 + n if signal n ended it);
1 if it succeeded and leaked; 2 for a wrong command line, 3 when connections can not
be watched or a report not be written, 126 and 127 when the program can not be
started or found.`,
		Example: `  closewait run -- go test ./...
  closewait run --junit leaks.xml -- npm test
  closewait run --grace 30s --max-stuck 5 -- ./load-test.sh`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{errors.New("run needs a command: closewait run -- command [argument…]"), cmd.CommandPath()}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return g.run(cmd.Context(), args) },
	}
	g.grace = length{value: gate.DefaultGrace, least: 100 * time.Millisecond, most: 24 * time.Hour}
	g.maxStuck = bounded{0, 0, 1 << 30}
	g.witness = choice{"auto", []string{"auto", "sensor", "poll", "trace"}}
	g.color = choice{"auto", []string{"auto", "always", "never"}}
	g.width = bounded{0, report.MinWidth, 1000}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.SetInterspersed(false) // what follows the command is the command's
	fs.Var(&g.grace, "grace", "how long a connection may be half-closed and unused")
	fs.Var(&g.maxStuck, "max-stuck", "how many connections may be left")
	fs.StringVar(&g.junit, "junit", "", "write the findings to this `file` as a JUnit test suite")
	fs.StringVar(&g.json, "json", "", "write the outcome to this `file` as JSON (docs/run.md)")
	fs.Var(&g.witness, "witness", "how to watch (see above)")
	fs.Var(&g.color, "color", "when to use colour (auto: on a terminal without NO_COLOR)")
	fs.Var(&g.width, "width", "columns to fit into (0: the terminal's, at most 100)")
	complete(cmd, "witness", g.witness.allowed)
	complete(cmd, "color", g.color.allowed)
	complete(cmd, "grace", []string{"1s", "5s", "30s", "1m"})
	return cmd
}

// run ignores that ctx is canceled: signals are the program's.
func (g *gated) run(ctx context.Context, command []string) error {
	if err := g.files(); err != nil {
		return err
	}
	for _, name := range []string{g.junit, g.json} {
		if err := writable(name); err != nil {
			return fmt.Errorf("cannot write the report: %w", err) // before a long run, not after it
		}
	}
	witness, done, err := g.watcher()
	if err != nil {
		return err
	}
	defer done()
	outcome, err := gate.Run(context.WithoutCancel(ctx), gate.Options{
		Command: command, Grace: g.grace.value, MaxStuck: g.maxStuck.value,
		Witness: witness,
		Stdin:   fileOf(g.in), Stdout: fileOf(g.out.w), Stderr: fileOf(g.err.w),
		Waiting: func(n int, most time.Duration) {
			left := "a process"
			if n > 1 {
				left = fmt.Sprintf("%d processes", n)
			}
			fmt.Fprintf(g.err.w, "closewait run: the program has ended and left %s behind: watching their connections for at most %v… (Ctrl-C: stop)\n", left, most)
		},
	})
	if start, ok := errors.AsType[*gate.StartError](err); ok {
		return &statusError{start.Status, err.Error()}
	}
	if err != nil {
		return err
	}
	err = outcome.Text(g.err.w, g.err.style(g.color.value, g.width.value))
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{{g.junit, outcome.JUnit}, {g.json, outcome.JSON}} {
		if f.name == "" {
			continue
		}
		if failed := replaceFile(f.name, public, f.write); failed != nil {
			err = errors.Join(err, fmt.Errorf("cannot write the report to %s: %w", f.name, failed))
		}
	}
	switch status := outcome.Status(); {
	case err != nil && outcome.ProgramStatus() == 0:
		return err
	case err != nil:
		return &statusError{status, err.Error()}
	case status != 0:
		return &statusError{status: status}
	}
	return nil
}

// watcher is the witness asked for. Where the sensor may be used it is the best:
// it knows what only an exit closed, names the code, and stops no process.
func (g *gated) watcher() (gate.Witness, func(), error) {
	none := func() {}
	if which, ok := tracing[g.witness.value]; ok && g.witness.value != "auto" {
		return gate.NewPolling(which), none, nil
	}
	x, err := collect.OpenSensing(collect.Options{})
	if err == nil {
		if err = x.Follow(os.Getpid()); err != nil {
			_ = x.Close()
		}
	}
	switch {
	case err == nil:
		return gate.NewSensed(x), func() { _ = x.Close() }, nil
	case g.witness.value == "sensor":
		return nil, none, fmt.Errorf("watch with the sensor (--witness auto does without): %w", err)
	}
	return gate.NewPolling(gate.TraceSuspects), none, nil
}

// tracing are the values of --witness that do without the sensor.
var tracing = map[string]gate.Trace{"auto": gate.TraceSuspects, "poll": gate.TraceNone, "trace": gate.TraceAll}

// files wants two files that are files, and two.
func (g *gated) files() error {
	refuse := func(text string) error { return &usageError{errors.New(text), "closewait run"} }
	for flag, name := range map[string]string{"--json": g.json, "--junit": g.junit} {
		if name == "-" {
			return refuse(flag + " needs a file name: standard output is the program's")
		}
	}
	if g.json != "" && g.junit != "" && sameFile(g.json, g.junit) {
		return refuse("--json and --junit need two files: " + g.json + " can only hold one of them")
	}
	return nil
}

// sameFile reports whether two names are of one file, there or not. A device or a
// pipe takes both.
func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if errA == nil && errB == nil {
		return os.SameFile(infoA, infoB) && infoA.Mode().IsRegular()
	}
	return place(a) == place(b)
}

// place is a name without detours.
func place(name string) string {
	if target, err := os.Readlink(name); err == nil { // to what is not there yet
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(name), target)
		}
		name = target
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(name))
	if err != nil {
		folder = filepath.Dir(name)
	}
	if whole, err := filepath.Abs(folder); err == nil {
		folder = whole
	}
	return filepath.Join(folder, filepath.Base(name))
}

// writable finds out whether a report can be written, and leaves an existing one
// as it is.
func writable(name string) error {
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, public)
	if err != nil {
		return err
	}
	return f.Close()
}

// fileOf is a stream as a file that a program can have; nil if it is none.
func fileOf(stream any) *os.File {
	f, _ := stream.(*os.File)
	return f
}
