package sim

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/scenario"
	"github.com/closewait/closewait/scenario/enginetest"
	"github.com/closewait/closewait/tcp"
)

func parse(t *testing.T, src string) *scenario.Story {
	t.Helper()
	s, err := scenario.Parse("x.story", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// plays plays a story on two Linux hosts.
func plays(t *testing.T, s *scenario.Story) *scenario.Result {
	t.Helper()
	r, err := Play(s, model.Linux())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEngine(t *testing.T) {
	enginetest.Run(t, plays)
}

// The FIN overtakes the data, and waits for it: until SACK has it sent again.
func TestAFINOvertakesData(t *testing.T) {
	r := plays(t, parse(t, `
local and remote are connected
the link delays the first data segment from remote by 50ms
remote writes 10
remote closes
expect wire remote→local 10 bytes, FIN; local→remote ACK; remote→local data again
expect local CLOSE_WAIT with recv-q 11
local reads → 10
local reads → 0
wait 50ms
`))
	for _, f := range r.Failures {
		t.Error(f)
	}
	if r.End[0].State != tcp.CloseWait {
		t.Errorf("in the end %v", r.End[0].State)
	}
}

// library are all stories that a profile is asked about.
func library(t *testing.T, p model.Profile) []*scenario.Story {
	t.Helper()
	all, err := scenario.Load()
	if err != nil {
		t.Fatal(err)
	}
	var about []*scenario.Story
	for _, s := range all {
		if s.About(p.Name) {
			about = append(about, s)
		}
	}
	return about
}

// TestStoriesHoldAcrossTheWrap: sequence numbers that pass 2**32 within the
// handshake, the data or the FIN change nothing (RFC 9293 §3.4).
func TestStoriesHoldAcrossTheWrap(t *testing.T) {
	for _, p := range model.Profiles() {
		for before := tcp.Seq(1); before <= 14; before++ {
			for _, s := range library(t, p) {
				o := Options{Profiles: [2]model.Profile{p, p}, ISS: [2]tcp.Seq{-before, 1 - before}}
				r, err := scenario.Run(s, NewEngine(o))
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range r.Failures {
					t.Errorf("%s, ISS %d before the wrap: %v", p.Name, before, f)
				}
			}
		}
	}
}

// TestTheSameStoryIsPlayedTheSameWay, whatever Go's maps do.
func TestTheSameStoryIsPlayedTheSameWay(t *testing.T) {
	for _, s := range library(t, model.Linux()) {
		first, err := Play(s, model.Linux())
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			again, err := Play(s, model.Linux())
			if err != nil || !reflect.DeepEqual(first, again) {
				t.Fatalf("%s is played differently the second time (%v)", s.File, err)
			}
		}
	}
}

func TestAdvanceStopsAtEvents(t *testing.T) {
	e := NewEngine(Options{Latency: 20 * time.Millisecond})
	if r, err := e.Call(1, scenario.Call{Op: scenario.Listen}); err != nil || r.Err != "" {
		t.Fatal(r, err)
	}
	if _, err := e.Call(0, scenario.Call{Op: scenario.Connect}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		most, now time.Duration
		quiet     bool
	}{{5, 5, false}, {1000, 20, false}, {1000, 40, false}, {1000, 60, true}, {1000, 1060, true}} {
		if err := e.Advance(step.most * time.Millisecond); err != nil {
			t.Fatal(err)
		}
		quiet, _ := e.Quiet()
		if e.Now() != step.now*time.Millisecond || quiet != step.quiet {
			t.Errorf("at %v, quiet %v; want %dms, %v", e.Now(), quiet, step.now, step.quiet)
		}
	}
}

func TestWhatAStackHasNotCanNotBeTuned(t *testing.T) {
	_, err := Play(parse(t, "remote tunes fin-wait-2 1m"), model.RFC9293())
	if !errors.Is(err, scenario.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
}

// FuzzPlay plays any story, and expects no more than that it can be played.
func FuzzPlay(f *testing.F) {
	for _, name := range scenario.Library() {
		src, _ := scenario.Source(name)
		f.Add(src, uint8(1))
	}
	f.Fuzz(func(t *testing.T, src []byte, profile uint8) {
		s, err := scenario.Parse("fuzz.story", src)
		if err != nil || len(s.Steps) > 50 {
			t.Skip()
		}
		for _, step := range s.Steps {
			if w, ok := step.(*scenario.Wait); ok && w.Most > 24*time.Hour {
				t.Skip()
			}
		}
		all := model.Profiles()
		if _, err := Play(s, all[int(profile)%len(all)]); err != nil && !errors.Is(err, scenario.ErrUnsupported) && !errors.Is(err, scenario.ErrRestless) {
			t.Fatalf("%v\n%s", err, src)
		}
	})
}
