package scenario_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/closewait/closewait/internal/sim"
	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/scenario"
)

func library(t *testing.T) []*scenario.Story {
	t.Helper()
	all, err := scenario.Load()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestLibraryHoldsOnEveryProfile plays every claim on every stack that the
// model knows. What a story says of a stack ("on xnu …") is as binding there as
// its plain expectations are elsewhere.
func TestLibraryHoldsOnEveryProfile(t *testing.T) {
	for _, p := range model.Profiles() {
		for _, s := range library(t) {
			if !s.About(p.Name) {
				continue
			}
			t.Run(p.Name+"/"+s.File, func(t *testing.T) { holds(t, s, p) })
		}
	}
}

func holds(t *testing.T, s *scenario.Story, p model.Profile) {
	r, err := sim.Play(s, p)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Failures {
		t.Error(f)
	}
	if v, ok := s.VerdictFor(p.Name); ok && v.Holding == scenario.DoesNotHold && !r.Apart {
		t.Errorf("%s says that its claim does not hold on %s, and shows no difference", s.File, p.Name)
	}
	if rewrite := flag.Lookup("update").Value.String() == "true"; rewrite && len(r.Failures) > 0 && p.Name == "linux" {
		path := filepath.Join("testdata", s.File)
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, scenario.Update(s, src, r), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// play parses and plays a story on two Linux models.
func play(t *testing.T, src string, wrap func(scenario.Engine) scenario.Engine) (*scenario.Story, *scenario.Result, error) {
	t.Helper()
	s, err := scenario.Parse("x.story", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	var e scenario.Engine = sim.NewEngine(sim.Options{})
	if wrap != nil {
		e = wrap(e)
	}
	r, err := scenario.Run(s, e)
	return s, r, err
}

const wrongStory = `# What it expects is wrong, line for line
local and remote are connected
remote closes → EPIPE
expect wire remote→local RST; local→remote ACK   # the ACK is there
expect local ESTABLISHED with recv-q 0; remote gone
local reads → 5
on linux → ECONNRESET
    because somebody thought so
local writes 3
expect wire nothing
local writes 4
expect local CLOSED held forever
`

// TestWhatFailsIsSaidAndCanBeRewritten: every expectation that fails is told
// with its line, what was wanted and what was got; Update makes the story true,
// and touches nothing else.
func TestWhatFailsIsSaidAndCanBeRewritten(t *testing.T) {
	s, r, err := play(t, wrongStory, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"x.story:3: wanted remote closes → EPIPE, got ok",
		"x.story:4: wanted remote→local RST, got remote→local FIN (all of it: remote→local FIN; local→remote ACK)",
		"x.story:5: wanted local ESTABLISHED with recv-q 0; remote gone, got local CLOSE_WAIT with recv-q 1; remote FIN_WAIT_2 held by nobody",
		"x.story:7: wanted local reads → ECONNRESET, got 0",
		"x.story:10: wanted nothing more on the wire, got local→remote 3 bytes (all of it: local→remote 3 bytes; remote→local RST)",
		"x.story:11: wanted local writes 4 → no error, got EPIPE",
	}
	for i, f := range r.Failures {
		if i >= len(want) || f.Error() != want[i] {
			t.Errorf("failure %d is %q", i, f.Error())
		}
	}
	if len(r.Failures) != len(want) || r.Holds() || !r.Apart {
		t.Errorf("%d failures, want %d", len(r.Failures), len(want))
	}
	const mended = `# What it expects is wrong, line for line
local and remote are connected
remote closes → ok
expect wire remote→local FIN; local→remote ACK  # the ACK is there
expect local CLOSE_WAIT with recv-q 1; remote FIN_WAIT_2 held by nobody
local reads → 5
on linux → 0 because somebody thought so
local writes 3
expect wire local→remote 3 bytes; remote→local RST
local writes 4 → EPIPE
expect local CLOSED held forever
`
	got := string(scenario.Update(s, []byte(wrongStory), r))
	if got != mended {
		t.Fatalf("rewritten to:\n%s", got)
	}
	if _, r, err := play(t, got, nil); err != nil || !r.Holds() {
		t.Errorf("does not hold after Update: %v, %v", err, r.Failures)
	}
}

// blind is an engine that shows no timers, as some stacks do not.
type blind struct{ scenario.Engine }

func (b blind) Observe(host int) (scenario.Observation, error) {
	o, err := b.Engine.Observe(host)
	o.Timer = scenario.TimerUnknown
	return o, err
}

func TestForeverIsWaitedForWhereTimersAreHidden(t *testing.T) {
	const story = `
local and remote are connected
remote closes
expect local CLOSE_WAIT forever
on model-linux expect local CLOSE_WAIT because the remote has a timer still
wait 2m
expect local CLOSE_WAIT held with no timer forever
`
	for _, hidden := range []bool{false, true} {
		_, r, err := play(t, story, func(e scenario.Engine) scenario.Engine {
			if hidden {
				return blind{e}
			}
			return e
		})
		if err != nil || !r.Holds() {
			t.Errorf("timers hidden: %v: %v %v", hidden, err, r.Failures)
		}
		if waited := r.Ended.Hours() > 24; waited != hidden {
			t.Errorf("timers hidden: %v, and the story lasts %v", hidden, r.Ended)
		}
	}
}

// unable is an engine without sysctls.
type unable struct{ scenario.Engine }

func (u unable) Call(host int, c scenario.Call) (scenario.Return, error) {
	if c.Op == scenario.Tune {
		return scenario.Return{}, scenario.ErrUnsupported
	}
	return u.Engine.Call(host, c)
}

func TestWhatAnEngineCanNotDoIsNoFailure(t *testing.T) {
	_, r, err := play(t, "remote listens\nremote tunes retries 3\nremote closes", func(e scenario.Engine) scenario.Engine { return unable{e} })
	if !errors.Is(err, scenario.ErrUnsupported) || r == nil || len(r.Failures) > 0 {
		t.Errorf("error %v, result %+v", err, r)
	}
	if want := "x.story: line 2: remote tunes retries 3: this engine can not do that"; err == nil || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

// restless is an engine that never comes to rest.
type restless struct{ scenario.Engine }

func (restless) Quiet() (bool, error) { return false, nil }

func TestAnEngineThatNeverRestsIsGivenUp(t *testing.T) {
	_, _, err := play(t, "remote listens", func(e scenario.Engine) scenario.Engine { return restless{e} })
	if want := "x.story: line 1: remote listens: the hosts do not come to rest within 10m"; err == nil || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}
