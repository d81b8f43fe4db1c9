package main

import (
	"strings"
	"testing"
)

// small are bounds that are exhausted at once.
const small = "--octets 0 --losses 1"

func exploring(t *testing.T, args string) (status int, stdout, stderr string) {
	t.Helper()
	return inProcess(t, "", append([]string{"model", "explore"}, strings.Fields(args)...)...)
}

// The two sentences that the command is for.
func TestModelExploreProvesC10AndC14(t *testing.T) {
	for profile, want := range map[string]string{
		"linux":               "# stuck-forever: can happen with nothing lost.\n",
		"xnu":                 "# stuck-forever: can happen only if a RST is lost.\n",
		"hpux --fin-wait-2":   "# stuck-forever: can happen only if a RST is lost.\n",
		"hpux":                "# stuck-forever: can happen with nothing lost.\n",
		"linux --peer xnu":    "# stuck-forever: can happen with nothing lost.\n",
		"xnu --keepalive one": "# stuck-forever: can happen only if a RST is lost.\n",
	} {
		status, out, errs := exploring(t, small+" --find stuck-forever --profile "+profile)
		if status != exitOK || errs != "" || !strings.Contains(out, want) || !strings.Contains(out, "# All 19 invariants hold.\n") {
			t.Errorf("%s: status %d, %s, want %q in\n%s", profile, status, errs, want, out)
		}
	}
}

// What --find prints is a story that can be played.
func TestModelExploreTellsAStory(t *testing.T) {
	status, story, errs := exploring(t, small+" --find stuck-forever --calls close")
	if status != exitOK || errs != "" {
		t.Fatalf("status %d, %s", status, errs)
	}
	status, out, errs := inProcess(t, story, "model", "run", "-")
	if status != exitOK || errs != "" || !strings.Contains(out, "All went as the story says") {
		t.Errorf("status %d, %s\n%s\n%s", status, errs, story, out)
	}
}

func TestModelExploreListsWhatCanHappen(t *testing.T) {
	status, out, errs := exploring(t, small+" --keepalive both")
	if status != exitOK || errs != "" {
		t.Fatalf("status %d, %s", status, errs)
	}
	for _, want := range []string{
		"Exhaustive within these bounds: each application writes 0 octets at most;",
		"the link's faults: loss (1);",
		"All 19 invariants hold.",
		"  stuck-forever       can not happen within these bounds\n",
		"  ended-by-rst        can happen with nothing lost\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

func TestModelExploreSaysWhenItGaveUp(t *testing.T) {
	status, out, _ := exploring(t, "--states 1000 --find ended-by-timeout")
	if status != exitOK || !strings.Contains(out, "NOT exhaustive") || !strings.Contains(out, "17 invariants hold; 2 were not checked") ||
		!strings.Contains(out, "ended-by-timeout: was not found in what was searched.") {
		t.Errorf("status %d\n%s", status, out)
	}
}

// A broken invariant is a failure, with its story.
func TestModelExploreShowsAStorm(t *testing.T) {
	status, out, _ := exploring(t, "--profile rfc9293 --losses 2 --calls write,close")
	if status != exitStuck || !strings.Contains(out, "BROKEN no-endless-talk") {
		t.Errorf("status %d, want %d\n%s", status, exitStuck, out)
	}
}

func TestModelExploreRejectsWhatItCanNotDo(t *testing.T) {
	for args, want := range map[string]string{
		"--octets 16":     "from 0 to 15",
		"--find nonsense": "stuck-forever",
		"--profile vax":   "rfc9293",
		"--calls sing":    `"sing"`,
		"now":             "takes no argument",
	} {
		if status, _, errs := exploring(t, args); status != exitUsage || !strings.Contains(errs, want) {
			t.Errorf("%s: status %d, %s, want %q", args, status, errs, want)
		}
	}
}
