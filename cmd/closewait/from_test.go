package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
)

// A saved look is diagnosed on any system, and its report tells who, what,
// towards whom and when.
func TestFromText(t *testing.T) {
	r := closewait(t, "--from", saved(t, sampleSnapshot())).want(t, exitOK).says(t,
		"web-3 · 2026-03-01 12:00:00 · 2,318 TCP sockets in 1 network namespace · 4 in CLOSE_WAIT, 3 stuck",
		"holds 3 connections that 10.0.0.5:5000 has closed", "eof-unread", "pid 2113", "apache2",
		"not stuck: 1 half-closed connection in use", `\x1b[31m`)
	if strings.Contains(r.out, "\x1b") {
		t.Errorf("an escape sequence in a pipe: %q", r.out)
	}
	if r.err != "" {
		t.Errorf("standard error has %q", r.err)
	}
}

func TestFromFlagsWork(t *testing.T) {
	file := saved(t, sampleSnapshot())
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"scan", exitOK, "holds 3 connections"},
		{"--check", exitStuck, "holds 3 connections"},
		{"--check --cause masked", exitOK, "Nothing matches --cause masked"},
		{"--check --grace 1h", exitOK, "Nothing is stuck."},
		{"--grace 0", exitOK, "holds 3 connections"},
		{"--pid 1 --pid 2,3", exitOK, "Nothing matches --pid 1,2,3"},
		{"--port 443", exitOK, "Nothing that matches --port 443 is stuck."},
		{"--peer 10.0.0.0/8 --state close-wait --cause EOF-unread --container apache2.service", exitOK, "holds 3 connections"},
		{"--peer 10.0.0.5:5001", exitOK, "Nothing matches"},
		{"--netns 4026531840 --all", exitOK, "uses 1 half-closed connection to 10.0.0.6:443"},
		{"--sockets", exitOK, "10.0.0.7:40002 10.0.0.5:5000"},
		{"--width 60", exitOK, "holds 3 connections"},
	} {
		args := append(strings.Fields(c.args), "--from", file)
		closewait(t, args...).want(t, c.status).says(t, c.want)
	}
}

func TestColor(t *testing.T) {
	file := saved(t, sampleSnapshot())
	for _, c := range []struct {
		env  string
		flag string
		want bool
	}{
		{"", "auto", false}, {"", "never", false}, {"", "always", true}, {"NO_COLOR=1", "always", true}, {"NO_COLOR=1", "auto", false},
	} {
		cmd := command(t, "--from", file, "--color", c.flag)
		cmd.Env = append(cmd.Env, c.env)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(out, []byte("\x1b[")); got != c.want {
			t.Errorf("--color %s, %q, in a pipe: colour %v, want %v", c.flag, c.env, got, c.want)
		}
	}
}

func TestFromJSON(t *testing.T) {
	file := saved(t, sampleSnapshot())
	r := closewait(t, "--json", "scan", "--from", file).want(t, exitOK)
	var report diagnose.Report
	if err := json.Unmarshal([]byte(r.out), &report); err != nil {
		t.Fatal(err)
	}
	if report.Schema != "closewait/v1" || report.Host.Name != "web-3" || report.Totals.Stuck != 3 || len(report.Findings) != 2 {
		t.Errorf("report %+v", report)
	}
	if !strings.HasSuffix(r.out, "}\n") || !strings.Contains(r.out, "\n  \"findings\": [\n") {
		t.Errorf("not indented by two spaces, or no newline at the end:\n%s", r.out)
	}
	if f := report.Findings[0]; f.Cause != diagnose.EOFUnread || f.Count != 3 || f.Sockets != nil {
		t.Errorf("first finding %+v", f)
	}
	empty := closewait(t, "--json", "--cause", "masked", "--from", file).want(t, exitOK)
	if !strings.Contains(empty.out, `"findings": []`) {
		t.Errorf("no findings are not []:\n%s", empty.out)
	}
}

// Standard input and gzip are as good as a plain file.
func TestFromOtherSources(t *testing.T) {
	want := closewait(t, "--json", "--from", saved(t, sampleSnapshot())).want(t, exitOK).out
	var plain, packed bytes.Buffer
	if err := observe.Write(&plain, sampleSnapshot()); err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(&packed)
	if err := observe.Write(z, sampleSnapshot()); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if got := closewaitIn(t, &plain, "--json", "--from", "-").want(t, exitOK).out; got != want {
		t.Error("standard input gives another report")
	}
	if got := closewaitIn(t, &packed, "--json", "--from", "-").want(t, exitOK).out; got != want {
		t.Error("gzip gives another report")
	}
}

func TestFromErrors(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"empty": "", "text": "hello", "cut": `{"schema":"closewait-snapshot/v1","host"`, "other": `{"schema":"x/v1"}`, "badgzip": "\x1f\x8bxx",
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		r := closewait(t, "--from", file).want(t, exitFailed)
		if r.out != "" || !strings.HasPrefix(r.err, "closewait: ") || !strings.Contains(r.err, file) {
			t.Errorf("%s: stdout %q, stderr %q", name, r.out, r.err)
		}
	}
	if r := closewait(t, "--from", filepath.Join(dir, "none")).want(t, exitFailed); !strings.Contains(r.err, "none") {
		t.Errorf("stderr %q", r.err)
	}
}

func FuzzReadSnapshot(f *testing.F) {
	var plain bytes.Buffer
	if err := observe.Write(&plain, sampleSnapshot()); err != nil {
		f.Fatal(err)
	}
	f.Add(plain.Bytes())
	later := sampleSnapshot()
	later.TakenAt = later.TakenAt.Add(time.Second)
	if err := observe.Write(&plain, later); err != nil { // after the first
		f.Fatal(err)
	}
	f.Add(plain.Bytes())
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"))
	f.Fuzz(func(t *testing.T, data []byte) {
		prev, cur, err := readSnapshot("x", bytes.NewReader(data))
		if (cur == nil) == (err == nil) || prev != nil && cur == nil {
			t.Errorf("looks %v and %v, error %v", prev, cur, err)
		}
	})
}
