package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/report"
)

const statusHelp = `

Exit status: 0 when it could look, whatever it found; 1 with --check when
anything is stuck; 2 for a wrong command line; 3 when it could not look at all,
or could not save or print what it saw; 130 when interrupted before the looks
that were asked for.`

// scan is one run of the scan command.
type scan struct {
	*env
	filter   filterFlags
	json     bool
	sockets  bool
	all      bool
	check    bool
	grace    length
	interval length
	reader   choice
	save     string
	from     string
	color    choice
	width    bounded

	// filterText is the filter as it was typed; secondLook that a second look may
	// be taken although none was asked for.
	filterText string
	secondLook bool
}

func newScan(e *env, name string) *cobra.Command {
	s := &scan{env: e}
	cmd := &cobra.Command{
		Use:   name,
		Short: "Look at this host once, and explain what is stuck",
		Long: `scan looks at every half-closed TCP connection of this host and reports them in
groups: same program, same cause, same service. A group is stuck if it is older
than --grace, unused, and will not end by itself soon.

What can be measured is; what is inferred from one look (a growth rate from the
survivors' ages, say) is called an estimate. --interval takes a second look. On a
terminal a short second look is taken anyway if anything is stuck; Ctrl-C during
it reports what the first one saw.

Without privilege the sockets are all seen, but not the owners of other users'
sockets; the report says what is missing and how to see it.` + statusHelp,
		Example: `  closewait scan --all                            # also what is not stuck
  closewait scan --sockets --cause eof-unread     # list the sockets
  closewait scan --peer 10.0.0.0/8 --port 443     # filters combine
  closewait scan --container 3f2a --container db.service
  closewait scan --save look.json.gz              # keep what was seen …
  closewait scan --from look.json.gz              # … and diagnose it anywhere
  closewait scan --interval 5s --save two.json    # both looks are kept`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.filterText = changed(cmd.Flags(), filterNames()...)
			s.secondLook = e.out.is() && !s.json && s.from == "" && !cmd.Flags().Changed("interval")
			if err := s.contradiction(cmd); err != nil {
				return &usageError{err, cmd.CommandPath()}
			}
			return s.run(cmd.Context())
		},
	}
	s.bind(cmd)
	return cmd
}

func (s *scan) bind(cmd *cobra.Command) {
	s.grace = length{value: diagnose.DefaultGrace, most: 30 * 24 * time.Hour}
	s.interval = length{most: 24 * time.Hour}
	s.reader = choice{"auto", []string{"auto", "bpf", "procfs"}}
	s.color = choice{"auto", []string{"auto", "always", "never"}}
	s.width = bounded{0, report.MinWidth, 1000}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.BoolVar(&s.json, "json", false, "write the report as JSON (docs/json.md)")
	fs.BoolVar(&s.sockets, "sockets", false, "list the sockets of each finding")
	fs.BoolVar(&s.all, "all", false, "show what is not stuck in full, too")
	fs.BoolVar(&s.check, "check", false, "exit with status 1 if anything is stuck")
	fs.Var(&s.grace, "grace", "how old a half-closed connection must be to count as stuck")
	fs.Var(&s.interval, "interval", "take a second look after this time and measure growth (0: one look)")
	s.filter.bind(cmd)
	fs.Var(&s.reader, "reader", "how to read the kernel's tables")
	fs.StringVar(&s.save, "save", "", "also write what was seen to this `file` (compressed if it ends in .gz)")
	fs.StringVar(&s.from, "from", "", "diagnose a saved `file` instead of this host (-: standard input)")
	fs.Var(&s.color, "color", "when to use colour (auto: on a terminal without NO_COLOR)")
	fs.Var(&s.width, "width", "columns to fit into (0: the terminal's, at most 100)")
	complete(cmd, "reader", s.reader.allowed)
	complete(cmd, "color", s.color.allowed)
	complete(cmd, "grace", []string{"10s", "60s", "5m", "1h"})
	complete(cmd, "interval", []string{"1s", "5s", "30s", "5m"})
}

// contradiction finds flags that make no sense together.
func (s *scan) contradiction(cmd *cobra.Command) error {
	fs := cmd.Flags()
	for _, flag := range []string{"save", "interval", "reader"} {
		if s.from != "" && fs.Changed(flag) {
			return fmt.Errorf("--%s needs a look at this host, and --from diagnoses a saved one: leave one of them out", flag)
		}
	}
	if fs.Changed("from") && s.from == "" {
		return errors.New(`--from needs a file name (or "-" for standard input)`)
	}
	if fs.Changed("save") && (s.save == "" || s.save == "-") {
		return errors.New("--save needs a file name: standard output has the report")
	}
	return nil
}

func (s *scan) run(ctx context.Context) error {
	prev, cur, interrupted, err := s.looks(ctx)
	if err != nil {
		return err
	}
	var saved error // the report is shown even if this fails
	if s.save != "" {
		saved = s.keep(prev, cur)
	}
	r := s.diagnose(prev, cur)
	if err := s.print(s.out.w, r); err != nil {
		return errors.Join(saved, err)
	}
	switch {
	case saved != nil:
		return saved
	case interrupted && s.interval.value > 0:
		return &interruptedError{"the report is of the first look only"}
	case s.check && r.Totals.Stuck > 0:
		return errStuck
	}
	return nil
}

// keep saves all that the report rests on.
func (s *scan) keep(prev, cur *observe.Snapshot) error {
	if prev == nil {
		return saveSnapshot(s.save, cur)
	}
	return saveSnapshot(s.save, prev, cur)
}

func (s *scan) diagnose(prev, cur *observe.Snapshot) *diagnose.Report {
	return diagnose.Diagnose(prev, cur, diagnose.Options{Grace: s.grace.asGrace(), Sockets: s.sockets, Filter: s.filter.filter()})
}

func (s *scan) print(w io.Writer, r *diagnose.Report) error {
	var err error
	if s.json {
		err = report.JSON(w, r)
	} else {
		style := s.out.style(s.color.value, s.width.value)
		style.All, style.Filter = s.all, s.filterText
		err = report.Text(w, r, style)
	}
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
