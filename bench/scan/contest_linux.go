package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
)

// contest times the contestants in turn.
type contest struct {
	stage       *stage
	contestants []contestant
	rounds      int
	// young populations are measured at once, before they count as stuck.
	young    bool
	progress io.Writer
}

// hold measures with a population of n.
func (c *contest) hold(ctx context.Context, n int) (measurement, error) {
	m := measurement{Sockets: n}
	fmt.Fprintf(c.progress, "%d connections: making them", n)
	begun := time.Now()
	err := c.stage.grow(ctx, n)
	if err != nil {
		return m, err
	}
	fmt.Fprintf(c.progress, " (%.0f s), waiting until they are seen", time.Since(begun).Seconds())
	for _, one := range c.contestants {
		if err := c.settle(ctx, one, n); err != nil {
			return m, err
		}
	}
	fmt.Fprint(c.progress, ", timing")
	runs := make([][]cost, len(c.contestants))
	watch := startWatch()
	for range c.rounds {
		for i, one := range c.contestants {
			spent, err := c.stage.spend(ctx, one.args)
			if err != nil {
				return m, err
			}
			runs[i] = append(runs[i], spent)
			watch.own += spent.cpu
		}
		fmt.Fprint(c.progress, ".")
	}
	fmt.Fprintln(c.progress)
	m.OtherCPUs = watch.others()
	if m.Seen, err = c.seen(ctx); err != nil {
		return m, err
	}
	for i, one := range c.contestants {
		m.Commands = append(m.Commands, summarize(one.name, runs[i]))
	}
	for i := 1; i < len(runs); i++ {
		m.Ratios = append(m.Ratios, compare(c.contestants[i].name, c.contestants[0].name, runs[i], runs[0]))
	}
	return m, nil
}

// seen is how many CLOSE_WAIT sockets a look finds, in all namespaces.
func (c *contest) seen(ctx context.Context) (n int, err error) {
	var r diagnose.Report
	wrong, err := c.stage.see(ctx, c.contestants[0].args, func(out io.Reader) error { return json.NewDecoder(out).Decode(&r) })
	return r.Totals.CloseWait, errors.Join(wrong, err)
}

// A look is repeated until it says what it must: connections count as stuck when
// they are older than closewait's grace period of 60 s.
const (
	settleWithin = 3 * time.Minute
	settleEvery  = time.Second
)

// settle waits until a contestant's output is right for a population of n.
func (c *contest) settle(ctx context.Context, one contestant, n int) error {
	deadline := time.Now().Add(settleWithin)
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		wrong, err := c.stage.see(ctx, one.args, func(out io.Reader) error { return one.check(out, n, c.young) })
		if err != nil {
			return err
		}
		if wrong == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s prints what can't be right: %w", one.name, wrong)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
