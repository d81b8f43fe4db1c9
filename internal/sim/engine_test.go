package sim

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/scenario"
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

// holds plays a story on two Linux hosts, where all that it expects has to come
// true.
func holds(t *testing.T, src string) *scenario.Result {
	t.Helper()
	r, err := Play(parse(t, src), model.Linux())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Failures {
		t.Error(f)
	}
	return r
}

func TestLinkLosesWhatTheRuleSays(t *testing.T) {
	holds(t, `
local and remote are connected
the link loses the 2nd data segment from local
local writes 1
local writes 2
local writes 3
expect wire local→remote 1 byte, 2 bytes lost, 3 bytes, data again
remote reads → 6

the link loses the first 2 FINs
local closes
expect wire local→remote FIN lost
wait 300ms
expect wire local→remote FIN again lost
wait 5s
expect wire local→remote FIN again; remote→local ACK
expect local FIN_WAIT_2; remote CLOSE_WAIT

the link loses everything from remote
remote closes
wait 1s
expect wire remote→local FIN lost, FIN again lost
the link recovers
wait 1m
expect wire remote→local FIN again
expect remote gone
`)
}

// TestRulesAreAskedInOrder: each counts what reaches it.
func TestRulesAreAskedInOrder(t *testing.T) {
	holds(t, `
local and remote are connected
the link loses the first data segment
the link loses the first data segment
local writes 1
local writes 1
local writes 1
expect wire local→remote 2 bytes lost, 1 byte
`)
}

func TestLinkDuplicatesAndDelays(t *testing.T) {
	r := holds(t, `
local and remote are connected
the link duplicates the first FIN from remote
remote closes
expect local CLOSE_WAIT with recv-q 1
expect wire remote→local FIN; local→remote ACK, ACK
`)
	copies := 0
	for _, e := range r.Events {
		copies += e.Packet.Copies
	}
	if copies != 1 {
		t.Errorf("%d copies, want 1", copies)
	}
	// The FIN overtakes the data, and waits for it: until SACK has it sent again.
	r = holds(t, `
local and remote are connected
the link delays the first data segment from remote by 50ms
remote writes 10
remote closes
expect wire remote→local 10 bytes, FIN; local→remote ACK; remote→local data again
expect local CLOSE_WAIT with recv-q 11
local reads → 10
local reads → 0
wait 50ms
`)
	if r.Holds() && r.End[0].State != tcp.CloseWait {
		t.Errorf("in the end %v", r.End[0].State)
	}
}

func TestSimultaneousOpenAndClose(t *testing.T) {
	holds(t, `
# Both hosts connect, and later both close, before either hears of the other.
the link loses the first SYN from local
local connects → EINPROGRESS
expect local SYN_SENT
remote connects
expect local ESTABLISHED; remote ESTABLISHED

the link loses the first FIN from local
local closes
remote closes
expect local CLOSING
wait 2s
expect local TIME_WAIT; remote TIME_WAIT
wait 2m
expect local gone; remote gone
`)
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
