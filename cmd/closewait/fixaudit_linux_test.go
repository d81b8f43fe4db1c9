package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/remedy"
	"github.com/closewait/closewait/tcp"
)

// auditLines are the lines of a log that tell one thing.
func auditLines(t *testing.T, file string, event auditEvent) []map[string]any {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	var out []map[string]any
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		var l map[string]any
		must(t, json.Unmarshal(s.Bytes(), &l))
		if l["event"] == string(event) {
			out = append(out, l)
		}
	}
	return out
}

func cookieOf(line map[string]any) string {
	return fmt.Sprint(line["act"].(map[string]any)["socket"].(map[string]any)["cookie"])
}

// A probe takes its time: what came of it is not known when the act is recorded, and
// the log must tell it all the same.
func TestTheAuditTellsWhatTheReportTells(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		spec    misbehave.Spec
		flags   []string
		status  int
		outcome remedy.Outcome
	}{
		{"a probe that ends it", misbehave.Spec{Kind: misbehave.EOFUnread, Count: 5, PeerLinger: time.Second},
			[]string{"--degree", "keepalive", "--keep-idle", "1s", "--keep-interval", "1s", "--settle", "20s"}, exitOK, remedy.DidEnd},
		{"a FIN that waits behind data", misbehave.Spec{Kind: misbehave.SendBlocked, Count: 3}, []string{"--degree", "shutdown", "--settle", "200ms"}, exitStuck, remedy.StillThere},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, row.spec)
			aged(t)
			log := filepath.Join(t.TempDir(), "audit.jsonl")
			done := fixJSON[remedy.Done](t, row.status, fixFlags(p, append(row.flags, "--apply", "--audit", log)...)...)
			if done.Counts[row.outcome] != row.spec.Count {
				t.Fatalf("outcomes %v", done.Counts)
			}
			for _, l := range auditLines(t, log, auditAct) {
				// On a machine that stood still the look behind the act may see the end of it.
				if l["outcome"] != string(remedy.Pending) && l["outcome"] != string(row.outcome) {
					t.Errorf("an act is recorded as %v", l["outcome"])
				}
			}
			last := map[string]map[string]any{}
			for _, l := range auditLines(t, log, auditOutcome) {
				if last[cookieOf(l)] != nil || l["acted_at"] == nil {
					t.Errorf("the outcome of %s is told twice, or without the time of its act: %v", cookieOf(l), l)
				}
				last[cookieOf(l)] = l
			}
			for _, r := range done.Results {
				l := last[r.Act.Socket.Name]
				if l["outcome"] != string(r.Outcome) || text(l["why"]) != r.Why || text(l["descriptor"]) != string(r.Descriptor) {
					t.Errorf("the report says %s %q %q, the log %v", r.Outcome, r.Why, r.Descriptor, l)
				}
			}
		})
	}
}

// text is a field of a line, "" where it is absent.
func text(field any) string {
	s, _ := field.(string)
	return s
}

// What can't be recorded is not done: not even the first act.
func TestFixThatCantBeRecordedIsNotDone(t *testing.T) {
	t.Parallel()
	p := start(t, misbehave.Spec{Kind: misbehave.EOFUnread, Count: 3})
	aged(t)
	missing := filepath.Join(t.TempDir(), "no", "such")
	for _, row := range []struct{ file, want string }{
		{filepath.Join("/dev/null", "x"), "not a directory"},
		{"/dev/full", "no space left"},
		{filepath.Join(missing, "audit.jsonl"), "make its folder first (mkdir -p " + missing + ")"},
	} {
		r := closewait(t, fixFlags(p, "--apply", "--degree", "shutdown", "--audit", row.file)...).want(t, exitFailed)
		if !strings.Contains(r.err, "nothing was done, because it could not be recorded") || !strings.Contains(r.err, row.want) || r.out != "" {
			t.Errorf("--audit %s: stderr %q, stdout %q, want %q", row.file, r.err, r.out, row.want)
		}
		stillAs(t, p, tcp.CloseWait)
	}
	if _, err := os.Stat(missing); !os.IsNotExist(err) {
		t.Errorf("a folder that nobody asked for is there: %v", err)
	}
}

// A log that breaks ends the run, and is no pipe whose reader has seen enough.
func TestFixStopsWhereItsLogBreaks(t *testing.T) {
	t.Parallel()
	p := start(t, misbehave.Spec{Kind: misbehave.EOFUnread, Count: 3})
	aged(t)
	log := filepath.Join(t.TempDir(), "pipe")
	must(t, unix.Mkfifo(log, 0o600))
	cmd := command(t, fixFlags(p, "--apply", "--degree", "shutdown", "--max-rate", "2/s", "--audit", log)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	must(t, cmd.Start())
	reader, err := os.Open(log) // waits for the writer
	must(t, err)
	_, err = bufio.NewReader(reader).ReadString('\n')
	must(t, errors.Join(err, reader.Close()))
	if got := status(t, cmd.Wait()); got != exitFailed || !strings.Contains(stderr.String(), "could not be recorded") {
		t.Errorf("status %d, want %d; stderr %q", got, exitFailed, stderr.String())
	}
	view, left := viewOf(t, ""), 0
	for _, c := range p.Culprits() {
		if _, listed := view.row(&c); listed {
			left++
		}
	}
	if left == 0 {
		t.Error("all was done, and not recorded")
	}
}

// Guard opens its log before it looks: one with nothing to do fails at once, and not in a
// week, when there is something.
func TestGuardThatCantBeRecordedDoesNotBegin(t *testing.T) {
	t.Parallel()
	const policy = "apply: true\nrules:\n  - match: {container: none-of-that-name}\n"
	missing := filepath.Join(t.TempDir(), "no")
	for _, row := range []struct{ file, want string }{
		{"/dev/full", "no space left"},
		{filepath.Join(missing, "audit.jsonl"), "make its folder first (mkdir -p " + missing + ")"},
	} {
		r := closewaitIn(t, strings.NewReader(policy), "guard", "--policy", "-", "--rounds", "1", "--audit", row.file).want(t, exitFailed)
		if !strings.Contains(r.err, row.want) || r.out != "" {
			t.Errorf("--audit %s: stderr %q, stdout %q, want %q", row.file, r.err, r.out, row.want)
		}
	}
	log := filepath.Join(t.TempDir(), "audit.jsonl")
	closewaitIn(t, strings.NewReader(policy), "guard", "--policy", "-", "--rounds", "1", "--audit", log).want(t, exitOK)
	if lines := auditLines(t, log, auditBegin); len(lines) != 1 || lines[0]["boot_id"] == "" || lines[0]["command"] != "guard --policy -" {
		t.Errorf("the log begins with %v", lines)
	}
}

// A disk that was full, or a crash, left half a line behind: the next run's first line is
// one of its own all the same.
func TestTheAuditBeginsALineOfItsOwn(t *testing.T) {
	t.Parallel()
	const policy = "apply: true\nrules:\n  - match: {container: none-of-that-name}\n"
	log := filepath.Join(t.TempDir(), "audit.jsonl")
	for _, left := range []string{`{"schema":"closewait-au`, "{}\n", ""} {
		must(t, os.WriteFile(log, []byte(left), 0o600))
		closewaitIn(t, strings.NewReader(policy), "guard", "--policy", "-", "--rounds", "1", "--audit", log).want(t, exitOK)
		got, err := os.ReadFile(log)
		must(t, err)
		want := strings.TrimSuffix(left, "\n")
		if want != "" {
			want += "\n"
		}
		rest, ok := strings.CutPrefix(string(got), want)
		if !ok || !json.Valid([]byte(rest)) || strings.Count(rest, "\n") != 1 {
			t.Errorf("after %q it is %q", left, got)
		}
	}
}
