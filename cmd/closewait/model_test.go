package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/closewait/closewait/internal/report"
)

var updateGolden = flag.Bool("update", false, "rewrite the golden files")

// inProcess runs a command line in this process: nothing of it needs a terminal,
// a child or a signal.
func inProcess(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = run(args, strings.NewReader(stdin), &out, &err)
	return status, out.String(), err.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *updateGolden {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run with -update)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs (run with -update and read the diff); got:\n%s", path, got)
	}
}

func TestModelClaims(t *testing.T) {
	status, out, errs := inProcess(t, "", "model", "claims")
	if status != exitOK || errs != "" {
		t.Fatalf("status %d, %s", status, errs)
	}
	golden(t, "model-claims.txt", out)
	for i, line := range strings.Split(out, "\n")[1:15] {
		if fields := strings.Fields(line); fields[0] != "C"+strings.TrimSpace(strings.Fields("1 2 3 4 5 6 7 8 9 10 11 12 13 14")[i]) {
			t.Errorf("line %d of the table begins with %q", i+1, fields[0])
		}
	}

	status, out, _ = inProcess(t, "", "model", "claims", "--json", "--profile", "linux,xnu")
	var table report.Claims
	if err := json.Unmarshal([]byte(out), &table); err != nil || status != exitOK {
		t.Fatalf("status %d, %v", status, err)
	}
	if table.Schema != report.ClaimsSchema || len(table.Rows) != 14 || len(table.Rows[9].Cells) != 2 {
		t.Fatalf("JSON has schema %q and %d claims", table.Schema, len(table.Rows))
	}
	if c10 := table.Rows[9]; c10.ID != "C10" || c10.Cells[0].Verdict != "does not hold" || c10.Cells[1].Verdict != "holds" {
		t.Errorf("C10 on linux and xnu is %+v", c10)
	}
}

func TestModelRunShowsAStoryOfTheLibrary(t *testing.T) {
	t.Chdir(t.TempDir())
	status, out, errs := inProcess(t, "", "model", "run", "c08-mask-1", "--svg", "mask.svg")
	if status != exitOK || errs != "" {
		t.Fatalf("status %d, %s", status, errs)
	}
	for _, want := range []string{"C8. Mask 1", "CLOSE_WAIT", "RST seq 2", "takes error → EPIPE", "All went as the story says, on model-linux."} {
		if !strings.Contains(out, want) {
			t.Errorf("nothing about %q in:\n%s", want, out)
		}
	}
	svg, err := os.ReadFile("mask.svg")
	if err != nil || !bytes.HasPrefix(svg, []byte("<svg ")) {
		t.Errorf("the picture is %.40s, %v", svg, err)
	}
	status, out, _ = inProcess(t, "", "model", "run", "c08-mask-1.story", "--profile", "xnu")
	if status != exitOK || !strings.Contains(out, "takes error → ECONNRESET") && !strings.Contains(out, "ECONNRESET │") {
		t.Errorf("status %d on xnu:\n%s", status, out)
	}
	if status, out, _ = inProcess(t, "", "model", "run", "c10-mask-2-on-hp-ux"); status != exitOK || !strings.Contains(out, "on model-hpux.") {
		t.Errorf("a story's own profile is not taken: status %d\n%s", status, out)
	}
}

func TestModelRunTakesAClaim(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, row := range []struct{ claim, title, also string }{
		{"c8", "C8. Mask 1", "This is c08-mask-1. Also about C8:\n  c08-correction-the-descriptor-stays\n"},
		{"C08", "C8. Mask 1", "This is c08-mask-1. Also about C08:\n  c08-correction-the-descriptor-stays\n"},
		{"C10", "C10. Mask 2", "This is c10-mask-2. Also about C10:\n  c10-mask-2-on-hp-ux\n  c10-correction-silent-expiry\n"},
		{"c12", "C12. Mask 1", ""},
	} {
		status, out, errs := inProcess(t, "", "model", "run", row.claim)
		if status != exitOK || errs != "" || !strings.HasPrefix(out, row.title) || !strings.HasSuffix(out, row.also) {
			t.Errorf("%s: status %d, %s\n%s", row.claim, status, errs, out)
		}
		if row.also == "" && strings.Contains(out, "Also about") {
			t.Errorf("%s has one story, and others are named:\n%s", row.claim, out)
		}
	}
	// A file of that name comes first.
	if err := os.WriteFile("c8", []byte("# Mine\nlocal and remote are connected\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, out, _ := inProcess(t, "", "model", "run", "c8"); !strings.HasPrefix(out, "Mine\n") {
		t.Errorf("a file called c8 is not played:\n%s", out)
	}
}

func TestModelRunDrawsALadder(t *testing.T) {
	_, out, _ := inProcess(t, "", "model", "run", "c12-a-lost-rst-is-drawn-again")
	golden(t, "model-run-c12.txt", out)
}

func TestModelRunTellsWhatDidNotComeTrue(t *testing.T) {
	t.Chdir(t.TempDir())
	const story = "# Wrong\nlocal and remote are connected\nremote closes\nexpect local ESTABLISHED\n"
	status, out, errs := inProcess(t, story, "model", "run", "-")
	if status != 1 || errs != "" {
		t.Errorf("status %d, %s", status, errs)
	}
	if want := "FAILED standard input:4: wanted local ESTABLISHED, got local CLOSE_WAIT\n1 expectation did not come true on model-linux.\n"; !strings.HasSuffix(out, want) {
		t.Errorf("got:\n%s", out)
	}
	if err := os.WriteFile("my.story", []byte(story), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, errs = inProcess(t, "", "model", "run", "my.story", "--update"); status != exitOK {
		t.Errorf("--update: status %d, %s", status, errs)
	}
	src, err := os.ReadFile("my.story")
	if want := strings.Replace(story, "ESTABLISHED", "CLOSE_WAIT", 1); err != nil || string(src) != want {
		t.Errorf("rewritten to %q, %v", src, err)
	}
}

func TestModelMistakes(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("bad.story", []byte("local jumps\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		args   string
		status int
		want   string
	}{
		{"model run", exitUsage, "model run plays one story, and got 0"},
		{"model run none.story", exitFailed, `no file and no story is called "none.story"`},
		{"model run mask-2", exitFailed, "did you mean c10-mask-2-on-hp-ux, c10-mask-2 or c14-mask-2-on-hp-ux?"},
		{"model run c08-maks-1", exitFailed, "did you mean c08-correction-the-descriptor-stays or c08-mask-1?"},
		{"model run c8-mask-1.story", exitFailed, "did you mean c08-mask-1, c08-correction-the-descriptor-stays or c09-mask-1-by-keepalive?"},
		{"model run c15", exitFailed, "model run --help lists the stories"},
		{"model run c99999999999999999999", exitFailed, "no story is called"},
		{"model run x", exitFailed, "no story is called"},
		{"model run bad.story", exitFailed, "bad.story:1: wanted what the host does"},
		{"model run .", exitFailed, "read the story"},
		{"model run c08-mask-1 --profile beos", exitUsage, "use rfc9293, linux"},
		{"model run c08-mask-1 --update", exitUsage, "--update rewrites a file"},
		{"model claims --profile beos", exitUsage, `no profile is called "beos"`},
		{"model claims c08", exitUsage, "claims takes no argument"},
	} {
		status, out, errs := inProcess(t, "", strings.Fields(row.args)...)
		if status != row.status || !strings.Contains(errs, row.want) || out != "" {
			t.Errorf("%s: status %d, %q, %q; want %d, %q", row.args, status, errs, out, row.status, row.want)
		}
	}
}

func TestAStoryInWhichNothingHappensIsRefused(t *testing.T) {
	for _, text := range []string{"", "# only a title\n", "claim C8 of nothing\n"} {
		status, out, complaint := inProcess(t, text, "model", "run", "-")
		if status != exitFailed || out != "" || !strings.Contains(complaint, "standard input: nothing happens in this story") {
			t.Errorf("%q: status %d, %q, %q", text, status, out, complaint)
		}
	}
}
