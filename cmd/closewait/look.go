package main

import (
	"context"
	"fmt"
	"time"

	"github.com/closewait/closewait/internal/collect"
	"github.com/closewait/closewait/internal/observe"
)

// shortInterval is the time to the second look that a terminal gets by itself:
// enough to see what moves, and not to be waited for.
const shortInterval = time.Second

// patience is how long a look may take before a terminal is told that it runs.
const patience = time.Second

// looks takes the looks that were asked for. If the wait for a second one is
// interrupted, the first is good: prev is nil and interrupted is set.
func (s *scan) looks(ctx context.Context) (prev, cur *observe.Snapshot, interrupted bool, err error) {
	if s.from != "" {
		prev, cur, err = openSnapshot(s.from, s.in)
		return prev, cur, false, err
	}
	first, err := s.look(ctx)
	if err != nil {
		return nil, nil, false, err
	}
	wait := s.interval.value
	var text string
	switch {
	case wait > 0:
		text = fmt.Sprintf("looking again in %s to measure what moves… (Ctrl-C: report what was seen)", brief(wait))
	case s.secondLook && s.diagnose(nil, first).Totals.Stuck > 0:
		wait = shortInterval
		text = fmt.Sprintf("looking again for %s to see what moves… (Ctrl-C: report what was seen)", brief(wait))
	default:
		return nil, first, false, nil
	}
	second, err := s.lookAgain(ctx, wait, text)
	switch {
	case isInterrupted(err):
		return nil, first, true, nil
	case err != nil:
		return nil, nil, false, err
	}
	return first, second, false, nil
}

func (s *scan) lookAgain(ctx context.Context, wait time.Duration, text string) (*observe.Snapshot, error) {
	defer s.err.progress(0, text)()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return nil, &interruptedError{"before the second look"}
	case <-timer.C:
	}
	return s.collect(ctx)
}

func (s *scan) look(ctx context.Context) (*observe.Snapshot, error) {
	defer s.err.progress(patience, "looking at every TCP socket and who holds it… (Ctrl-C: stop)")()
	return s.collect(ctx)
}

func (s *scan) collect(ctx context.Context) (*observe.Snapshot, error) {
	snap, err := collect.Look(ctx, collect.Options{Reader: s.reader.value, Window: max(s.grace.value, time.Second)})
	if ctx.Err() != nil {
		return nil, &interruptedError{"before the look was done"}
	}
	return snap, err
}
