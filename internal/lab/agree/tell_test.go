package agree

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/closewait/closewait/scenario"
)

var update = flag.Bool("update", false, "bring the stories into their usual form")

// found are the stories of what differed once, by name.
func found(t *testing.T) map[string]*scenario.Story {
	t.Helper()
	files, err := filepath.Glob("testdata/*.story")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	all := map[string]*scenario.Story{}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := scenario.Parse(file, src)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".story")] = s
		switch usual := scenario.Format(s); {
		case bytes.Equal(usual, src):
		case *update:
			if err := os.WriteFile(file, usual, 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s is not in its usual form (run with -update)", file)
		}
	}
	return all
}

// TestWhatWasFoundHoldsOnTheModel: each of these stories differed once.
func TestWhatWasFoundHoldsOnTheModel(t *testing.T) {
	for name, s := range found(t) {
		r, err := Play(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Failures {
			t.Errorf("%s: %v", name, f)
		}
	}
}

// TestWhatTheModelTellsHoldsThere, and is in its usual form: what is printed of a
// story that differs can be kept as it is.
func TestWhatTheModelTellsHoldsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := Tell(lines().Draw(t, "story"))
		if err != nil {
			t.Fatal(err)
		}
		src := scenario.Format(s)
		parsed, err := scenario.Parse("again.story", src)
		if err != nil {
			t.Fatal(err)
		}
		if again := scenario.Format(parsed); !bytes.Equal(again, src) {
			t.Errorf("parsed again it is\n%s\nand not\n%s", again, src)
		}
		r, err := Play(parsed)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Failures {
			t.Errorf("%v\n%s", f, src)
		}
	})
}

// TestATailIsWaitedFor: several segments on their way, of which the last would be
// sent again before the next step or after it.
func TestATailIsWaitedFor(t *testing.T) {
	s, err := Tell([]string{"local and remote are connected", "the link loses everything", "local writes 1", "local closes"})
	if err != nil {
		t.Fatal(err)
	}
	src := string(scenario.Format(s))
	if !strings.Contains(src, "local closes → ok\nwait 900ms\n") || strings.Count(src, "wait") != 1 {
		t.Errorf("told:\n%s", src)
	}
}

// Seed 702412: each host's tail probe, or the other's answer to it, is first.
func TestStoriesThatATieDecidesAreKnown(t *testing.T) {
	lost := []string{"local and remote are connected", "the link loses everything", "remote writes 1", "the link recovers"}
	for _, row := range []struct {
		lines []string
		want  bool
	}{
		{[]string{"the link loses the first FIN from local", "local closes", "wait 3m"}, true},
		{[]string{"the link loses the first FIN from local", "wait 900ms", "local closes", "wait 3m"}, false},
		{[]string{"local closes", "wait 3m"}, false},
	} {
		s, err := Tell(append(slices.Clone(lost), row.lines...))
		if err != nil {
			t.Fatal(err)
		}
		r, err := Play(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := tied(r); got != row.want {
			t.Errorf("tied %v, want %v\n%s", got, row.want, scenario.Format(s))
		}
	}
}
