package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/closewait/closewait/internal/diagnose"
)

// A newcomer's first command finds each cause that needs no lost packet, and
// leaves no process behind.
func TestDemoFindsEveryCauseAndCleansUp(t *testing.T) {
	out := closewait(t, "demo").want(t, exitOK).out
	for _, c := range diagnose.Causes {
		seen := strings.Contains(out, string(c))
		switch c {
		case diagnose.HalfCloseInUse, diagnose.OrphanDraining: // one line of what is not stuck
			seen = strings.Contains(out, "not stuck:")
		case diagnose.FinUnacked: // needs a host that has fallen silent
			continue
		case diagnose.Ownerless: // told only by who may see all descriptors
			seen = seen || strings.Contains(out, "could not see:")
		}
		if !seen {
			t.Errorf("%s is not in the demo's report:\n%s", c, out)
		}
	}
	if left := demoProcesses(t); len(left) > 0 {
		t.Errorf("still running: %q", left)
	}
}

// demoProcesses lists the command lines of the demo's programs. Those of another
// demo on this machine are of another binary, or not for us to look into.
func demoProcesses(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	ours, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil || !strings.HasPrefix(string(text), "(demo:") {
			continue
		}
		if exe, err := os.Readlink(filepath.Join(filepath.Dir(f), "exe")); err == nil && exe == ours {
			out = append(out, string(text))
		}
	}
	return out
}
