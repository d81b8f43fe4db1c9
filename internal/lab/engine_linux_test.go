package lab

import (
	"testing"
	"time"

	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/scenario"
	"github.com/closewait/closewait/scenario/enginetest"
)

// holds plays a story on the kernel, where all that it expects has to come true.
func holds(t *testing.T, src string) *Run {
	t.Helper()
	privilege.Need(t, "a story on this kernel")
	r, err := Play(t.Context(), parse(t, src), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Failures {
		t.Error(f)
	}
	t.Logf("took %v for %v; %q", r.Took, r.Ended, r.Notes)
	return r
}

func TestEngine(t *testing.T) {
	t.Parallel()
	privilege.Need(t, "stories on this kernel")
	enginetest.Run(t, func(t *testing.T, s *scenario.Story) *scenario.Result {
		t.Parallel()
		r, err := Play(t.Context(), s, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("took %v for %v; %q", r.Took, r.Ended, r.Notes)
		return r.Result
	})
}

// TestTheRealPaceIsTheWorlds: nothing is shortened, and a second takes a second.
func TestTheRealPaceIsTheWorlds(t *testing.T) {
	t.Parallel()
	privilege.Need(t, "a story on this kernel")
	s := parse(t, `
remote tunes fin-wait-2 1s
local and remote are connected
remote closes
wait until remote gone, at most 1m
expect local CLOSE_WAIT forever; remote gone
wait 1h
`)
	r, err := Play(t.Context(), s, Options{Pace: RealPace()})
	if err != nil {
		t.Fatal(err)
	}
	if told := r.Ended - time.Hour; !r.Holds() || told < 900*time.Millisecond || told > r.Took || len(r.Notes) > 0 {
		t.Errorf("%v of the story in %v, %v, %q", r.Ended, r.Took, r.Failures, r.Notes)
	}
}

// TestResetForgetsTheStoryBefore: the same engine plays one story after another.
func TestResetForgetsTheStoryBefore(t *testing.T) {
	t.Parallel()
	privilege.Need(t, "an engine on this kernel")
	e, err := NewEngine(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer closes(t, e)
	s := parse(t, `
expect local gone; remote gone
local and remote are connected
the link loses everything from remote
local writes 10
remote closes
expect local ESTABLISHED held with send-q 10; remote gone
local reads → EAGAIN
local closes
`)
	for range 5 {
		r, err := e.Play(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Failures {
			t.Error(f)
		}
		if err := e.Reset(PaceOf(s)); err != nil {
			t.Fatal(err)
		}
	}
}

func closes(t testing.TB, e *Engine) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkNewEngine(b *testing.B) {
	privilege.Need(b, "what an engine costs")
	for b.Loop() {
		e, err := NewEngine(b.Context(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		closes(b, e)
	}
}

// BenchmarkStory plays a short story on an engine that is reset for each.
func BenchmarkStory(b *testing.B) {
	privilege.Need(b, "what a story costs")
	e, err := NewEngine(b.Context(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer closes(b, e)
	s := parse(b, "local and remote are connected\nremote writes 10\nremote closes\nlocal reads → 10\nlocal closes")
	for b.Loop() {
		if _, err := e.Play(s); err != nil {
			b.Fatal(err)
		}
		if err := e.Reset(PaceOf(s)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReset(b *testing.B) {
	privilege.Need(b, "what a reset costs")
	e, err := NewEngine(b.Context(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer closes(b, e)
	for b.Loop() {
		if err := e.Reset(PaceOf(nil)); err != nil {
			b.Fatal(err)
		}
	}
}
