// Package enginetest is what every engine of package scenario has to do alike, as
// stories: what a link loses, duplicates and delays, what each call returns, what is
// counted in the queues. Whoever writes an engine runs them in its tests:
//
//	func TestEngine(t *testing.T) {
//		enginetest.Run(t, func(t *testing.T, s *scenario.Story) *scenario.Result { … })
//	}
//
// The stories hold for Linux, and say where others differ by design. Nothing here
// needs a privilege or reads a clock; what the engine does is its own affair.
package enginetest

import (
	"embed"
	"io/fs"
	"testing"

	"github.com/closewait/closewait/scenario"
)

//go:embed stories/*.story
var stories embed.FS

// Run plays each story as a subtest, which may run in parallel with others if play
// says so. All that the story expects has to come true.
func Run(t *testing.T, play func(t *testing.T, s *scenario.Story) *scenario.Result) {
	t.Helper()
	names, err := fs.Glob(stories, "stories/*.story")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		src, err := stories.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := scenario.Parse(name, src)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(s.Title, func(t *testing.T) { check(t, s, play(t, s)) })
	}
}

func check(t *testing.T, s *scenario.Story, r *scenario.Result) {
	t.Helper()
	for _, f := range r.Failures {
		t.Error(f)
	}
	doubling, copies := 0, 0
	for _, step := range s.Steps {
		if link, ok := step.(*scenario.Link); ok && link.Rule.Fate == scenario.Duplicate {
			doubling++
		}
	}
	for _, e := range r.Events {
		copies += e.Packet.Copies
	}
	if copies != doubling {
		t.Errorf("%d segments were doubled, want %d", copies, doubling)
	}
}
