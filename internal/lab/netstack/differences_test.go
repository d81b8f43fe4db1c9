package netstack

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/closewait/closewait/internal/sim"
	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/scenario"
)

var update = flag.Bool("update", false, "bring the stories into their usual form")

// TestDifferencesAreStated: where netstack departs from the model of it, a story
// says so, with the reason and its place below pkg/tcpip/transport/tcp. Each
// holds on both, and shows a difference.
func TestDifferencesAreStated(t *testing.T) {
	files, err := filepath.Glob("testdata/*.story")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { departs(t, file) })
	}
}

func departs(t *testing.T, file string) {
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Parse(file, src)
	if err != nil {
		t.Fatal(err)
	}
	if r := holds(t, s); !r.Apart {
		t.Error("no difference is stated")
	}
	r, err := sim.Play(s, model.GVisor())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Failures {
		t.Error("on the model: ", f)
	}
	if got := scenario.Format(s); !bytes.Equal(got, src) && !*update {
		t.Errorf("not in its usual form (run with -update); it would be:\n%s", got)
	} else if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
