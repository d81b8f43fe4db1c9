package netstack

import (
	"errors"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/closewait/closewait/scenario"
	"github.com/closewait/closewait/scenario/enginetest"
)

// library are all stories about gVisor.
func library(t *testing.T) []*scenario.Story {
	t.Helper()
	all, err := scenario.Load()
	if err != nil {
		t.Fatal(err)
	}
	var about []*scenario.Story
	for _, s := range all {
		if s.About("gvisor-netstack", "gvisor") {
			about = append(about, s)
		}
	}
	return about
}

func parse(t *testing.T, src string) *scenario.Story {
	t.Helper()
	s, err := scenario.Parse("x.story", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// holds plays a story, all of which has to come true.
func holds(t *testing.T, s *scenario.Story) *scenario.Result {
	t.Helper()
	r, err := Play(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Failures {
		t.Error(f)
	}
	return r
}

func TestEngine(t *testing.T) {
	enginetest.Run(t, func(t *testing.T, s *scenario.Story) *scenario.Result {
		r, err := Play(s)
		if err != nil {
			t.Fatal(err)
		}
		return r
	})
}

// TestTimersThatAreKnown: none, and the one that ends FIN_WAIT_2 or TIME_WAIT.
func TestTimersThatAreKnown(t *testing.T) {
	r := holds(t, parse(t, `
local and remote are connected
expect local with no timer; remote with no timer
remote closes
expect local CLOSE_WAIT with no timer; remote FIN_WAIT_2 held by nobody with timer wait
wait until remote gone, at most 2m
expect local CLOSE_WAIT held forever; remote gone with no timer
`))
	if r.End[0].Timer != scenario.TimerNone || r.Ended.Hours() > 1 {
		t.Errorf("timer %v, and the story took %v: forever was not known but waited for", r.End[0].Timer, r.Ended)
	}
}

func TestLibraryHolds(t *testing.T) {
	for _, s := range library(t) {
		t.Run(s.File, func(t *testing.T) { holds(t, s) })
	}
}

// TestTheSameStoryIsPlayedTheSameWay, whatever the stacks' goroutines do: every
// segment, its numbers and its time are the same. gVisor has as many processors
// as Go has.
func TestTheSameStoryIsPlayedTheSameWay(t *testing.T) {
	const often = "c13-every-rst-lost.story"
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, s := range library(t) {
		first := holds(t, s)
		times := map[bool]int{true: 50, false: 1}[s.File == often]
		for i := range 4 * times {
			runtime.GOMAXPROCS(1 << (i % 4))
			if again := holds(t, s); !reflect.DeepEqual(first, again) {
				t.Fatalf("%s is played differently the second time", s.File)
			}
		}
	}
}

func TestSeedVariesTheNumbersOnly(t *testing.T) {
	s := parse(t, "local and remote are connected")
	first := map[uint32]bool{}
	for seed := range uint64(3) {
		e, err := NewEngine(Options{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		r, err := scenario.Run(s, e)
		e.Close()
		if err != nil || !r.Holds() {
			t.Fatal(err, r.Failures)
		}
		for _, event := range r.Events {
			if event.Kind == scenario.Sent {
				first[uint32(event.Packet.Segment.Seq)] = true
				break
			}
		}
	}
	if len(first) != 3 {
		t.Errorf("%d initial sequence numbers for 3 seeds", len(first))
	}
}

func TestCloseEndsAllGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, src := range []string{
		"local and remote are connected",
		"local and remote are connected\nremote closes\nlocal writes 5",
		"local and remote are connected\nremote closes",
		"remote listens\nthe link loses everything\nlocal connects → EINPROGRESS",
		"remote listens\nlocal connects",
	} {
		holds(t, parse(t, src))
	}
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	buf := make([]byte, 1<<16)
	t.Errorf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
}

func TestAdvanceStopsAtEvents(t *testing.T) {
	e, err := NewEngine(Options{Latency: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if r, err := e.Call(1, scenario.Call{Op: scenario.Listen}); err != nil || r.Err != "" {
		t.Fatal(r, err)
	}
	if r, err := e.Call(0, scenario.Call{Op: scenario.Connect}); err != nil || r.Err != "EINPROGRESS" {
		t.Fatal(r, err)
	}
	for _, step := range []struct {
		most, now time.Duration
		quiet     bool
	}{{5, 5, false}, {1000, 20, false}, {1000, 40, false}, {1000, 60, true}, {900, 960, true}} {
		if err := e.Advance(step.most * time.Millisecond); err != nil {
			t.Fatal(err)
		}
		quiet, _ := e.Quiet()
		if e.Now() != step.now*time.Millisecond || quiet != step.quiet {
			t.Errorf("at %v, quiet %v; want %dms, %v", e.Now(), quiet, step.now, step.quiet)
		}
	}
}

func TestTapSeesWhatIsLostToo(t *testing.T) {
	var flags []byte
	e, err := NewEngine(Options{Tap: func(_ time.Duration, raw []byte) { flags = append(flags, raw[33]) }})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s := parse(t, "local and remote are connected\nthe link loses the first RST\nlocal aborts")
	if r, err := scenario.Run(s, e); err != nil || !r.Holds() {
		t.Fatal(r.Failures, err)
	}
	if want := []byte{0x02, 0x12, 0x10, 0x14}; !reflect.DeepEqual(flags, want) {
		t.Errorf("flags %x, want %x: SYN, SYN|ACK, ACK, RST|ACK", flags, want)
	}
}

func TestWhatItCanNotDoIsUnsupported(t *testing.T) {
	e, err := NewEngine(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if r, err := e.Call(0, scenario.Call{Op: scenario.Connect}); err != nil || r.Err != "EINPROGRESS" {
		t.Fatal(r, err)
	}
	for _, c := range []scenario.Call{{Op: scenario.Fill}, {Op: 99}, {Op: scenario.Tune, Knob: 99}, {Op: scenario.Set, Option: 99}} {
		if _, err := e.Call(0, c); !errors.Is(err, scenario.ErrUnsupported) {
			t.Errorf("%v: error %v", c, err)
		}
	}
}
