package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/scenario"
)

// Play plays a story on two new hosts, which are gone when it returns. The zero
// Options.Pace is the story's.
func Play(ctx context.Context, s *scenario.Story, o Options) (*Run, error) {
	if o.Latest == 0 && o.Pace.Real {
		o.Latest = 2 * time.Hour
	} else if o.Latest == 0 {
		o.Latest = time.Minute
	}
	if o.Pace.zero() {
		o.Pace = PaceOf(s)
		if o.Patient {
			o.Pace = o.Pace.patient()
		}
	}
	tooLong := fmt.Errorf("%s takes longer than %s here", s.File, scenario.Span(o.Latest))
	ctx, cancel := context.WithTimeoutCause(ctx, o.Latest, tooLong)
	defer cancel()
	o.Hosts = s.Hosts
	e, err := NewEngine(ctx, o)
	if err != nil {
		return nil, err
	}
	r, err := e.Play(s)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx) // and not which look at a socket it cut short
	}
	return r, errors.Join(err, e.Close())
}

// Play plays a story on an engine that is new or was Reset. On an error the Run
// ends where the story did.
func (e *Engine) Play(s *scenario.Story) (*Run, error) {
	r, err := scenario.Run(s, e)
	attribute(r.Events, e.looks)
	return &Run{Result: r, Took: time.Since(e.started), Notes: e.notes, Looks: e.looks}, err
}

// PlayAll plays stories, several at once, each on hosts of its own; atOnce 0 is
// eight: they mostly wait. done is told of each when it is over, one at a time,
// by its place in the list: the run, or why there is none. The error is the
// context's.
func PlayAll(ctx context.Context, stories []*scenario.Story, o Options, atOnce int, done func(i int, r *Run, err error)) error {
	if atOnce <= 0 {
		atOnce = 8
	}
	// The longest first: what is begun last should end soon.
	order := make([]int, len(stories))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(length(stories[b]), length(stories[a])) })

	var wg sync.WaitGroup
	var one sync.Mutex
	next := make(chan int)
	for range min(atOnce, len(stories)) {
		wg.Go(func() {
			for i := range next {
				r, err := Play(ctx, stories[i], o)
				one.Lock()
				done(i, r, err)
				one.Unlock()
			}
		})
	}
	for _, i := range order {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

// length is a rough guess of how long a story takes, in no unit.
func length(s *scenario.Story) time.Duration {
	var all time.Duration
	for _, step := range s.Steps {
		if w, ok := step.(*scenario.Wait); ok {
			all += min(w.Most, 20*time.Minute)
		}
	}
	return all
}

// ignoreGone forgets that a socket was gone already.
func ignoreGone(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}
