package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/closewait/closewait/internal/collect"
	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/watch"
)

// poller looks again and again, and joins the looks with what the sensor tells.
// One goroutine looks; the sensor has another.
type poller struct {
	*watching
	sensing *collect.Sensing // nil: by looks alone
	note    string           // what can not be known
	journal *watch.Journal
	prev    *observe.Snapshot
	told    chan *observe.Happening
	lost    chan uint64 // how many events found told full; one place
	failed  int         // looks in a row
	ceased  bool        // somebody has stopped the sensor, and that was told
	// problem is told of a look that failed.
	problem func(text string)
}

// mostTold bounds what waits for the look that is just being taken.
const mostTold = 1 << 14

// mostFailed is how many looks in a row may fail.
const mostFailed = 5

func (w *watching) newPoller(sensing *collect.Sensing, note string) *poller {
	return &poller{
		watching: w, sensing: sensing, note: note,
		journal: watch.NewJournal(watch.Options{Sensor: sensing != nil, Shortest: w.shortest.value, Narrowed: w.filterText != ""}),
		told:    make(chan *observe.Happening, mostTold), lost: make(chan uint64, 1), problem: w.complain,
	}
}

// mode says how it is watched, in a few words.
func (p *poller) mode() string {
	switch {
	case p.sensing == nil:
		return "by looks alone"
	case p.sensing.Own():
		return "looks and a sensor of its own"
	}
	return "looks and the sensor"
}

// poll calls each after every look, and whenever the sensor has told something of
// note (then report is nil), until ctx ends or each returns an error.
func (p *poller) poll(ctx context.Context, each func(r *diagnose.Report, events []watch.Event) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if p.sensing != nil {
		done := p.hearing(ctx, stop)
		defer func() { stop(nil); <-done }()
	}
	for {
		begun := time.Now()
		r, events, err := p.look(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && p.failed >= mostFailed:
			return err
		case err != nil:
			p.problem(err.Error())
		default:
			if err := each(r, events); err != nil {
				return err
			}
		}
		// A look that takes long is not to take all of a processor.
		took := time.Since(begun)
		if err := p.listen(ctx, max(p.interval.value-took, took), each); err != nil {
			return err
		}
	}
}

// hearing starts listening to the sensor, and returns once it tells: then no
// look can miss what it does not. done is closed when listening has ended.
func (p *poller) hearing(ctx context.Context, stop context.CancelCauseFunc) (done chan struct{}) {
	done = make(chan struct{})
	ready := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.sensing.Listen(ctx, func() { close(ready) }, p.hear); err != nil {
			stop(fmt.Errorf("the sensor failed (--sensor never goes on without): %w", err))
		}
	}()
	select {
	case <-ready:
	case <-done:
	}
	return done
}

// listen passes on what the sensor tells, for a while.
func (p *poller) listen(ctx context.Context, during time.Duration, each func(*diagnose.Report, []watch.Event) error) error {
	timer := time.NewTimer(during)
	defer timer.Stop()
	for {
		var events []watch.Event
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
			return nil
		case t := <-p.told:
			events = p.journal.Tell(t)
		case n := <-p.lost:
			events = p.journal.Tell(&observe.Happening{Kind: observe.HappenedLost, At: time.Now(), Lost: n})
		}
		if len(events) > 0 {
			if err := each(nil, events); err != nil {
				return err
			}
		}
	}
}

// hear takes what the sensor tells. It never waits: what finds no room is counted.
func (p *poller) hear(t *observe.Happening) {
	select {
	case p.told <- t:
		return
	default:
	}
	n := uint64(1)
	select {
	case before := <-p.lost:
		n += before
	default:
	}
	p.lost <- n // hear is the only sender
}

// nowhere is no BPF filesystem, so no sensor is pinned there.
const nowhere = "-"

func (p *poller) look(ctx context.Context) (*diagnose.Report, []watch.Event, error) {
	o := collect.Options{Reader: p.reader.value, Window: max(p.grace.value, time.Second), Sensing: p.sensing}
	if p.sensor.value == "never" {
		o.SensorDir = nowhere
	}
	snap, err := collect.Look(ctx, o)
	if err != nil {
		p.failed++
		if u, ok := errors.AsType[*collect.UnsupportedError](err); ok {
			p.failed = mostFailed
			return nil, nil, u
		}
		return nil, nil, err
	}
	p.failed = 0
	r := diagnose.Diagnose(p.prev, snap, diagnose.Options{
		Grace: max(p.grace.value, time.Nanosecond), Sockets: true, Filter: p.filter.filter(),
	})
	p.prev = snap
	if p.note != "" {
		r.Complete, r.Limits = false, append(r.Limits, p.note)
	}
	events := append(p.ceasing(), p.drain()...) // what was told before the look says more than the look
	return r, append(events, p.journal.Look(watch.Look{Snapshot: snap, Report: r, Alive: alive})...), nil
}

// ceasing tells, once, that somebody has stopped the sensor: what is open goes on.
func (p *poller) ceasing() []watch.Event {
	if p.sensing == nil || p.ceased || !p.sensing.Stopped() {
		return nil
	}
	p.ceased = true
	return []watch.Event{{
		Kind: watch.SensorStopped, At: time.Now(), Source: watch.FromLooks,
		Note: "somebody stopped the sensor: this watch keeps it for itself until it ends, and misses nothing",
	}}
}

// drain takes in all that was told by now.
func (p *poller) drain() (events []watch.Event) {
	for range len(p.told) {
		events = append(events, p.journal.Tell(<-p.told)...)
	}
	return events
}
