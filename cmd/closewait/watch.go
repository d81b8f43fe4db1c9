package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/closewait/closewait/internal/collect"
	"github.com/closewait/closewait/internal/diagnose"
)

// watching is one run of the watch command.
type watching struct {
	*env
	filter   filterFlags
	events   bool
	json     bool
	interval length
	grace    length
	shortest length
	duration length
	reader   choice
	sensor   choice
	color    choice

	filterText string
}

func newWatch(e *env) *cobra.Command {
	w := &watching{env: e}
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Watch half-closed connections live, or as a stream of events",
		Long: `watch looks at this host again and again. On a terminal it shows the findings
with how they grow, how old they are and whether they end; enter opens one, ? is
help, q ends.

Piped, or with --events, it prints one line for each thing that happens: a FIN was
received, a read returned zero, a connection became stuck, it ended and how, or
its descriptor stayed open (masked). --json makes each line a JSON object.

Where it may (root, or CAP_BPF and CAP_PERFMON), it uses the sensor, or loads one
for its own time: events are then exact. Otherwise it compares one look with the
next: connections that come and go between two looks are not seen, times are
known to the interval, and what looks can not tell is said to be unknown.

Exit status: 0 when it was ended by q, Ctrl-C, SIGTERM or --for; 2 for a wrong
command line; 3 when it could not look.`,
		Example: `  sudo closewait watch
  closewait watch --port 443 --interval 5s       # filters as in scan
  closewait watch --events --for 10m             # a line for each event
  closewait watch --events | grep masked
  closewait watch --json | jq -r 'select(.event == "ended") | .end'`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w.filterText = changed(cmd.Flags(), filterNames()...)
			return w.run(cmd.Context())
		},
	}
	w.bind(cmd)
	return cmd
}

func (w *watching) bind(cmd *cobra.Command) {
	w.interval = length{value: 2 * time.Second, least: 100 * time.Millisecond, most: time.Hour}
	w.grace = length{value: diagnose.DefaultGrace, most: 30 * 24 * time.Hour}
	w.shortest = length{value: time.Second, most: time.Hour}
	w.duration = length{most: 30 * 24 * time.Hour}
	w.reader = choice{"auto", []string{"auto", "bpf", "procfs"}}
	w.sensor = choice{"auto", []string{"auto", "always", "never"}}
	w.color = choice{"auto", []string{"auto", "always", "never"}}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.BoolVar(&w.events, "events", false, "print events instead of showing a screen")
	fs.BoolVar(&w.json, "json", false, "print events as JSON, one object a line (docs/watch.md)")
	fs.Var(&w.interval, "interval", "the time from one look to the next")
	fs.Var(&w.grace, "grace", "how old a half-closed connection must be to count as stuck")
	fs.Var(&w.shortest, "shortest", "with the sensor: leave out what was half-closed for less")
	fs.Var(&w.duration, "for", "end after this time (0: when told to)")
	w.filter.bind(cmd)
	fs.Var(&w.reader, "reader", "how to read the kernel's tables")
	fs.Var(&w.sensor, "sensor", "whether to use the sensor (auto: where it may)")
	fs.Var(&w.color, "color", "when to use colour (auto: on a terminal without NO_COLOR)")
	complete(cmd, "reader", w.reader.allowed)
	complete(cmd, "sensor", w.sensor.allowed)
	complete(cmd, "color", w.color.allowed)
	complete(cmd, "interval", []string{"1s", "2s", "5s", "30s"})
	complete(cmd, "grace", []string{"10s", "60s", "5m", "1h"})
}

// run watches until it is told to end, which is no failure.
func (w *watching) run(ctx context.Context) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(100) // main's setting is for commands that look once
	}
	if w.duration.value > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.duration.value)
		defer cancel()
	}
	sensing, note, err := w.open()
	if err != nil {
		return err
	}
	if sensing != nil {
		defer sensing.Close()
	}
	p := w.newPoller(sensing, note)
	if w.stream() {
		err = w.print(ctx, p)
	} else {
		err = w.show(ctx, p)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// stream reports whether events are to be printed: asked for, or all that the
// output can take.
func (w *watching) stream() bool {
	return w.events || w.json || !w.out.is() || w.out.dumb()
}

// open finds the sensor. Unless it must be used, watching goes on without, and
// note says why.
func (w *watching) open() (sensing *collect.Sensing, note string, err error) {
	const unknown = "what happens between two looks, and how a connection ended, is not always known: "
	if w.sensor.value == "never" {
		return nil, unknown + "the sensor is not used (--sensor never)", nil
	}
	sensing, err = collect.OpenSensing(collect.Options{})
	switch {
	case err == nil:
		return sensing, "", nil
	case w.sensor.value == "always":
		return nil, "", fmt.Errorf("use the sensor (--sensor never needs none of it): %w", err)
	}
	return nil, unknown + err.Error(), nil
}
