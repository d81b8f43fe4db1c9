package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/closewait/closewait/internal/collect"
	"github.com/closewait/closewait/internal/demo"
	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/report"
)

// demoGrace is short, so that a newcomer need not wait a minute.
const demoGrace = time.Second

func newDemo(e *env) *cobra.Command {
	d := &demonstration{env: e}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Start small programs that leak connections, and find them",
		Long: `demo starts small real programs that each leak connections in one way, over
loopback and without privilege, scans them, shows the report, and ends them
again. Every cause is there but fin-unacked, which needs a host that has fallen
silent. Connections count as stuck after 1 s here, instead of 60 s.`,
		Example: `  closewait demo
  closewait demo --keep 5m      # leave them running, to try other commands on`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context()) },
	}
	d.keep = length{most: time.Hour}
	d.color = choice{"auto", []string{"auto", "always", "never"}}
	d.width = bounded{0, report.MinWidth, 1000}
	cmd.Flags().Var(&d.keep, "keep", "leave the programs running for this long afterwards (at most 1h; Ctrl-C ends them)")
	cmd.Flags().Var(&d.color, "color", "when to use colour (auto: on a terminal, unless NO_COLOR is set)")
	cmd.Flags().Var(&d.width, "width", "columns to fit into (0: the terminal's, at most 100)")
	complete(cmd, "color", d.color.allowed)
	return cmd
}

// demonstration is one run of the demo command.
type demonstration struct {
	*env
	keep  length
	color choice
	width bounded
}

func (d *demonstration) run(ctx context.Context) (err error) {
	done := d.err.progress(0, "starting programs that leak connections… (Ctrl-C: stop)")
	stage, err := demo.Start(ctx)
	done()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.Stop()) }()
	prev, cur, err := d.looks(ctx)
	if err != nil {
		return err
	}
	r := diagnose.Diagnose(prev, cur, diagnose.Options{Grace: demoGrace, Filter: diagnose.Filter{Ports: stage.Ports()}})
	style := d.out.style(d.color.value, d.width.value)
	style.Filter = "the demo's own ports"
	if err := report.Text(d.out.w, r, style); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return d.linger(ctx)
}

// looks waits until the connections are old enough to be stuck, and looks twice.
func (d *demonstration) looks(ctx context.Context) (prev, cur *observe.Snapshot, err error) {
	defer d.err.progress(0, "letting their connections get older than 1 s, and looking twice… (Ctrl-C: stop)")()
	for _, snap := range []**observe.Snapshot{&prev, &cur} {
		if err := wait(ctx, demoGrace+100*time.Millisecond); err != nil {
			return nil, nil, err
		}
		if *snap, err = collect.Look(ctx, collect.Options{Window: demoGrace}); err != nil {
			return nil, nil, err
		}
	}
	return prev, cur, nil
}

func (d *demonstration) linger(ctx context.Context) error {
	if d.keep.value == 0 {
		return nil
	}
	fmt.Fprintf(d.out.w, "\nThe programs run for another %v: try  closewait --grace 1s  in another terminal. Ctrl-C ends them.\n", d.keep.value)
	if err := wait(ctx, d.keep.value); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil // asked for
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
