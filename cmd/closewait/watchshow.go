package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/watch"
	"github.com/closewait/closewait/internal/watch/live"
)

// show shows the screen until the user ends it. Looking goes on in another
// goroutine; of several pictures that the screen was too slow for, the last counts.
func (w *watching) show(ctx context.Context, p *poller) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	feed := make(chan live.Update, 1)
	post := func(u live.Update) {
		select {
		case <-feed:
		default:
		}
		feed <- u // post is the only sender
	}
	p.problem = func(text string) { post(live.Update{Problem: text}) }
	ended := make(chan error, 1)
	go func() {
		defer stop() // without looks there is nothing to show
		ended <- p.poll(ctx, w.painter(post))
	}()
	err := live.Run(ctx, feed, live.Options{
		In: w.keyboard(), Out: w.out.w, Term: os.Getenv("TERM"), Color: w.out.colors(w.color.value),
		Location: time.Local, Interval: w.interval.value, Mode: p.mode(), Filter: w.filterText, Story: p.journal.Story,
	})
	stop()
	looked := <-ended
	if err != nil {
		return fmt.Errorf("show the screen (--events needs none): %w", err)
	}
	return looked
}

// keyboard is standard input if that is a terminal; else (nil) keys come from the
// one that this process has.
func (w *watching) keyboard() io.Reader {
	if f, ok := w.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// painter makes pictures of looks. What the sensor tells between two waits for
// the second.
func (w *watching) painter(post func(live.Update)) func(*diagnose.Report, []watch.Event) error {
	board := watch.NewBoard()
	var waiting []watch.Event
	return func(r *diagnose.Report, events []watch.Event) error {
		waiting = append(waiting, events...)
		if r == nil {
			if over := len(waiting) - mostTold; over > 0 {
				waiting = waiting[over:]
			}
			return nil
		}
		post(live.Update{Picture: board.Take(r, waiting)})
		waiting = nil
		return nil
	}
}
