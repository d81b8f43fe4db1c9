package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/closewait/closewait/internal/collect"
	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/remedy"
	"github.com/closewait/closewait/internal/report"
)

// fix is one run of the fix command.
type fix struct {
	*env
	filter    filterFlags
	ids       []string
	all       bool
	apply     bool
	degree    choice
	older     length
	limit     bounded
	rate      rate
	force     bool
	grace     length
	interval  length
	settle    length
	keepIdle  length
	keepEvery length
	keepCount bounded
	openFiles bounded
	reader    choice
	audit     string
	json      bool
	sockets   bool
	color     choice
	width     bounded

	filterText string
	command    string // as typed, for the audit log
}

func newFix(e *env) *cobra.Command {
	f := &fix{env: e}
	cmd := &cobra.Command{
		Use:   "fix [ID…]",
		Short: "End stuck connections from outside, by degrees; a dry run unless --apply",
		Long: `fix looks at this host twice and says what it would do about each stuck
connection and why, what that frees and what not. With --apply it does so, and
reports what came of it, connection by connection. ID is a finding's id (scan
--json); without one, and without a filter, the dry run shows everything.

Nobody outside can close an application's descriptors. What can be done, the
gentlest first:

  room       raise the owner's soft limit of open files: buys time, ends nothing
  keepalive  turn SO_KEEPALIVE on: ends the connection if its peer is gone
  shutdown   shut CLOSE_WAIT down: a FIN to the peer, a wake-up for the program
  destroy    a RST to the peer, an error for the program

Unless --degree names one, each connection gets the gentlest that can end it.
Connections in use are never touched, nor ESTABLISHED ones; each is named by the
kernel's cookie and read again immediately before. docs/fix.md says more.

Exit status: 0 for a dry run, or when all that was asked for is so; 1 when an act
was refused or a connection is still there; 2 for a wrong command line; 3 when it
could not look, or not record what it did; 130 when interrupted.`,
		Example: `  closewait fix                                      # what could be done, and what not
  sudo closewait fix --pid 2113 --cause eof-unread   # the same, for one process
  sudo closewait fix --pid 2113 --apply              # do it
  sudo closewait fix 4ca10f5e12ab --degree shutdown --limit 10 --apply
  sudo closewait fix --peer 10.0.0.0/8 --older-than 1h --max-rate 20/s --apply
  sudo closewait fix --pid 2113 --degree room --apply`,
		Args:              f.parseIDs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.filterText = strings.TrimSpace(strings.Join(f.ids, " ") + " " + changed(cmd.Flags(), filterNames()...))
			f.command = strings.Join(strings.Fields("fix "+strings.Join(f.ids, " ")+" "+changed(cmd.Flags(), append(filterNames(), fixNames()...)...)), " ")
			if f.apply && f.filterText == "" && !f.all {
				return &usageError{errors.New("--apply needs an ID or a filter that says what to act on (--all: everything that is stuck)"), cmd.CommandPath()}
			}
			return f.run(cmd.Context())
		},
	}
	f.bind(cmd)
	return cmd
}

// fixNames are the flags that say what to do, for the audit log.
func fixNames() []string {
	return []string{"all", "degree", "older-than", "limit", "max-rate", "force", "grace", "interval", "keep-idle", "keep-interval", "keep-count", "open-files"}
}

func (f *fix) bind(cmd *cobra.Command) {
	f.degree = choice{string(remedy.Auto), degreeNames()}
	f.older = length{most: 365 * 24 * time.Hour}
	f.limit = bounded{0, 0, 1 << 30}
	f.rate = rate{perSecond: 100}
	f.grace = length{value: diagnose.DefaultGrace, most: 30 * 24 * time.Hour}
	f.interval = length{value: time.Second, most: time.Hour}
	f.settle = length{value: 2 * time.Second, most: 10 * time.Minute}
	f.keepIdle = length{value: time.Minute, least: time.Second, most: 32767 * time.Second}
	f.keepEvery = length{value: 10 * time.Second, least: time.Second, most: 32767 * time.Second}
	f.keepCount = bounded{6, 1, 127} // MAX_TCP_KEEPCNT
	f.openFiles = bounded{0, 0, 1 << 30}
	f.reader = choice{"auto", []string{"auto", "bpf", "procfs"}}
	f.color = choice{"auto", []string{"auto", "always", "never"}}
	f.width = bounded{0, report.MinWidth, 1000}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.BoolVar(&f.apply, "apply", false, "do it (without: say what would be done)")
	fs.Var(&f.degree, "degree", "how far to go")
	f.filter.bind(cmd)
	fs.BoolVar(&f.all, "all", false, "with --apply: act on everything that is stuck")
	fs.Var(&f.older, "older-than", "only what has been half-closed for at least this long")
	fs.Var(&f.limit, "limit", "act on at most so many connections: the worst finding first, of each the oldest (0: no limit)")
	fs.Var(&f.rate, "max-rate", "act at most so often")
	fs.BoolVar(&f.force, "force", false, "destroy also what was never accepted (frees no place in the listener's queue)")
	fs.Var(&f.grace, "grace", "how old a half-closed connection must be to count as stuck")
	fs.Var(&f.interval, "interval", "time between the two looks (0: one look)")
	fs.Var(&f.settle, "settle", "how long to wait for connections to end before reporting")
	fs.Var(&f.keepIdle, "keep-idle", "keepalive: silence before the first probe")
	fs.Var(&f.keepEvery, "keep-interval", "keepalive: time between probes")
	fs.Var(&f.keepCount, "keep-count", "keepalive: unanswered probes before it is given up")
	fs.Var(&f.openFiles, "open-files", "room: the new limit (0: the process's hard limit; more needs CAP_SYS_RESOURCE)")
	fs.StringVar(&f.audit, "audit", "", "append a line for each act to this `file` (root: "+rootAudit+")")
	fs.BoolVar(&f.json, "json", false, "write the plan, or what came of it, as JSON (docs/fix.md)")
	fs.BoolVar(&f.sockets, "sockets", false, "list every connection")
	fs.Var(&f.reader, "reader", "how to read the kernel's tables")
	fs.Var(&f.color, "color", "when to use colour (auto: on a terminal without NO_COLOR)")
	fs.Var(&f.width, "width", "columns to fit into (0: the terminal's, at most 100)")
	complete(cmd, "degree", f.degree.allowed)
	complete(cmd, "reader", f.reader.allowed)
	complete(cmd, "color", f.color.allowed)
}

func degreeNames() []string {
	var all []string
	for _, d := range remedy.Degrees() {
		all = append(all, string(d))
	}
	return all
}

var findingID = regexp.MustCompile(`^[0-9a-f]{12}$`)

func (f *fix) parseIDs(cmd *cobra.Command, args []string) error {
	for _, a := range args {
		if !findingID.MatchString(a) {
			return &usageError{fmt.Errorf("%q is no finding's id: use the 12 hexadecimal digits that scan --json shows, or a filter such as --pid", a), cmd.CommandPath()}
		}
	}
	f.ids = args
	return nil
}

func (f *fix) run(ctx context.Context) error {
	prev, cur, err := f.looks(ctx)
	if err != nil {
		return err
	}
	plan := f.plan(prev, cur)
	if !f.apply {
		return f.show(func(w io.Writer) error { return report.Plan(w, plan, f.style()) }, plan)
	}
	done, err := f.act(ctx, plan)
	if done == nil {
		return err
	}
	if shown := f.show(func(w io.Writer) error { return report.Done(w, done, f.style()) }, done); shown != nil {
		return errors.Join(err, shown)
	}
	switch {
	case err != nil:
		return err
	case done.Interrupted:
		return &interruptedError{fmt.Sprintf("%d of %d acts were not reached", done.Counts[remedy.NotReached], len(done.Results))}
	case done.Failures() > 0:
		return errStuck
	}
	return nil
}

func (f *fix) plan(prev, cur *observe.Snapshot) *remedy.Plan {
	r := diagnose.Diagnose(prev, cur, diagnose.Options{Grace: f.grace.asGrace(), Sockets: true, Filter: f.filter.filter()})
	return remedy.Make(prev, cur, r, remedy.Options{
		Degree: remedy.Degree(f.degree.value), IDs: f.ids, OlderThan: f.older.value, Limit: f.limit.value, Force: f.force,
		OpenFiles: uint64(f.openFiles.value),
		Probes:    remedy.Probes{Idle: remedy.Seconds(f.keepIdle.value), Interval: remedy.Seconds(f.keepEvery.value), Count: f.keepCount.value},
	})
}

// looks takes two looks: what moves between them is in use.
func (f *fix) looks(ctx context.Context) (prev, cur *observe.Snapshot, err error) {
	text := "looking at every TCP socket and who holds it, twice… (Ctrl-C: stop, nothing has been done)"
	defer f.err.progress(patience, text)()
	look := func() (*observe.Snapshot, error) {
		s, err := collect.Look(ctx, collect.Options{Reader: f.reader.value, Window: max(f.grace.value, time.Second)})
		if ctx.Err() != nil {
			return nil, &interruptedError{"nothing has been done"}
		}
		return s, err
	}
	if f.interval.value > 0 {
		if prev, err = look(); err != nil {
			return nil, nil, err
		}
		if wait(ctx, f.interval.value) != nil {
			return nil, nil, &interruptedError{"nothing has been done"}
		}
	}
	cur, err = look()
	return prev, cur, err
}

// act carries the plan out.
func (f *fix) act(ctx context.Context, plan *remedy.Plan) (*remedy.Done, error) {
	log, err := openAudit(f.audit, f.command, plan.Host)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.close() }() // each line is written, and any failure told, when it is recorded
	h := newHand()
	defer h.close()
	n := plan.Acts()
	defer f.err.progress(patience, fmt.Sprintf("%d acts, at most %v… (Ctrl-C: no more of them, and report what was done)", n, &f.rate))()
	runner := remedy.Runner{Hand: h, Clock: wallClock{}, Record: log.record, Conclude: log.conclude, Rate: f.rate.perSecond, Settle: f.settle.value}
	return runner.Run(ctx, plan)
}

func (f *fix) style() report.Style {
	s := f.out.style(f.color.value, f.width.value)
	s.Filter, s.All = f.filterText, f.sockets
	return s
}

func (f *fix) show(text func(io.Writer) error, v any) error {
	var err error
	if f.json {
		err = report.JSONValue(f.out.w, v)
	} else {
		err = text(f.out.w)
	}
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// wallClock is the machine's clock.
type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

func (wallClock) Wait(ctx context.Context, d time.Duration) error { return wait(ctx, d) }
