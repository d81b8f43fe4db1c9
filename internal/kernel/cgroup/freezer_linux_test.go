package cgroup

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/closewait/closewait/internal/testbed"
)

func TestMain(m *testing.M) {
	testbed.Play(map[string]testbed.Part{"wait": func([]string) error { return testbed.Hold() }})
	os.Exit(m.Run())
}

// held asks as a look does: with Freezers of its own.
func held(t *testing.T, pid int) bool {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	f := Open()
	defer f.Close()
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	first := f.Hold(lines)
	if f.Hold(lines) != first {
		t.Error("one look has two answers")
	}
	return first
}

func TestAFreezerHoldsWhatIsInIt(t *testing.T) {
	for _, f := range testbed.Freezers(t) {
		in, out := testbed.Start(t, "wait").Ready(), testbed.Start(t, "wait").Ready()
		f.Add(t, in.PID())
		if held(t, in.PID()) {
			t.Errorf("%s: held before", f.Name)
		}
		f.Freeze(t)
		testbed.Await(t, f.Name+" to hold its process", func() bool { return held(t, in.PID()) })
		if held(t, out.PID()) {
			t.Errorf("%s: holds another process", f.Name)
		}
		f.Release(t)
		testbed.Await(t, f.Name+" to let go of it", func() bool { return !held(t, in.PID()) })
	}
}

// What a process is said to be in may lie outside of what this one sees, or be nonsense.
func TestNoGroupLeadsOut(t *testing.T) {
	f := Open()
	defer f.Close()
	for _, lines := range [][]string{
		nil, {""}, {":"}, {"::"}, {"0::"}, {"0::/"}, {"0::/../../../proc/self"}, {"0::/\x00"}, {"4:freezer:/../../.."}, {"0::" + strings.Repeat("/x", 3000)},
	} {
		if f.Hold(lines) {
			t.Errorf("%q: held", lines)
		}
	}
	var none Freezers
	if none.Hold([]string{"0::/"}) {
		t.Error("no freezer holds something")
	}
	none.Close()
}

func FuzzHold(f *testing.F) {
	f.Add("0::/a\n3:freezer:/b")
	f.Fuzz(func(t *testing.T, text string) {
		freezers := Open()
		defer freezers.Close()
		if freezers.Hold(strings.Split(text, "\n")) {
			t.Errorf("%q: held", text)
		}
	})
}
