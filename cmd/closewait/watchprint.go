package main

import (
	"bufio"
	"context"
	"fmt"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/report"
	"github.com/closewait/closewait/internal/watch"
)

// print writes a line for each event. What was told before a look, or together,
// is written at once.
func (w *watching) print(ctx context.Context, p *poller) error {
	return p.poll(ctx, func(_ *diagnose.Report, events []watch.Event) error {
		if len(events) == 0 {
			return nil
		}
		out := bufio.NewWriter(w.out.w)
		for i := range events {
			if err := w.printOne(out, &events[i]); err != nil {
				return fmt.Errorf("print events: %w", err)
			}
		}
		if err := out.Flush(); err != nil {
			return fmt.Errorf("print events: %w", err)
		}
		return nil
	})
}

func (w *watching) printOne(out *bufio.Writer, e *watch.Event) error {
	if w.json {
		return report.JSONLine(out, e)
	}
	if _, err := fmt.Fprintln(out, watch.Line(e, time.Local)); err != nil {
		return err
	}
	for _, l := range e.Limits {
		if _, err := fmt.Fprintln(out, "  could not see: "+report.Shorten(l, 1000)); err != nil {
			return err
		}
	}
	return nil
}
