package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/closewait/closewait/internal/figure"
	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/privilege"
)

func TestMain(m *testing.M) {
	misbehave.Child()
	if len(os.Args) == 2 && os.Args[1] == stageWord {
		os.Exit(runStage(os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func TestASmallMeasurement(t *testing.T) {
	privilege.Need(t, "bench/scan from end to end")
	privilege.Program(t, "ss", "bench/scan from end to end")
	o := options{sizes: sizes{20, 60}, rounds: 2, short: true, readers: "auto,procfs"}
	r, err := measure(t.Context(), o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Populations) != 3 || len(r.Growth) != 8 || len(r.Bounds) != 0 {
		t.Fatalf("%d populations, %d growths, %d bounds; want 3 (with the one at rest), 8 and none", len(r.Populations), len(r.Growth), len(r.Bounds))
	}
	for i, n := range []int{0, 20, 60} {
		m := r.Populations[i]
		if m.Sockets != n || len(m.Commands) != 4 || len(m.Ratios) != 3 {
			t.Errorf("measurement %d: %+v", i, m)
		}
		for _, s := range m.Commands {
			if s.WallMS.Min <= 0 || s.WallMS.Max < s.WallMS.Median || s.PeakMiB.Min < 1 {
				t.Errorf("with %d: %+v", n, s)
			}
		}
	}
	var text, asJSON bytes.Buffer
	if err := figure.Write(&text, r, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{scanName, scanName + " --reader procfs", ssName, ssOwnersName, r.Machine.Kernel} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, &text)
		}
	}
	var back result
	if err := figure.Write(&asJSON, r, true); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(asJSON.Bytes(), &back); err != nil || len(back.Populations) != 3 {
		t.Errorf("JSON is read back as %d populations, error %v", len(back.Populations), err)
	}
}

func TestTheStageEndsWithItsInput(t *testing.T) {
	privilege.Need(t, "that the population ends with the process that measures")
	s, err := openStage(10)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.grow(t.Context(), 10); err != nil {
		t.Error(err)
	}
	if err := s.close(); err != nil { // waits for all its processes
		t.Error(err)
	}
}

func TestWrongUsage(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-n 0", "use numbers from 1"},
		{"-n 10,x", "use numbers from 1"},
		{"-rounds 0", "-rounds must be"},
		{"fast", "no argument"},
		{"-fast", "not defined"},
	} {
		var out, complaint bytes.Buffer
		if status := command().Run(t.Context(), strings.Fields(c.args), &out, &complaint); status != 2 || !strings.Contains(complaint.String(), c.want) {
			t.Errorf("%s: status %d, %s", c.args, status, &complaint)
		}
	}
}

func TestSizesAreSortedAndUnique(t *testing.T) {
	var s sizes
	if err := s.Set("500, 20,500"); err != nil || s.String() != "20,500" {
		t.Errorf("sizes are %v, error %v", s, err)
	}
}
