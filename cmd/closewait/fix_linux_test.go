package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/remedy"
	"github.com/closewait/closewait/tcp"
)

// fixFlags are the flags with which a test's fix touches one program's connections only.
func fixFlags(p *misbehave.Program, more ...string) []string {
	var pids []string
	for _, pid := range p.PIDs() {
		pids = append(pids, strconv.Itoa(pid))
	}
	return append([]string{"fix", "--grace", fixGrace.String(), "--pid", strings.Join(pids, ",")}, more...)
}

func fixJSON[T any](t *testing.T, status int, args ...string) T {
	t.Helper()
	r := closewait(t, append(args, "--json")...).want(t, status)
	var v T
	if err := json.Unmarshal([]byte(r.out), &v); err != nil {
		t.Fatalf("%v in %s", err, r.out)
	}
	return v
}

// aged waits until connections that have just been made count as stuck.
func aged(t *testing.T) { must(t, wait(t.Context(), fixGrace+100*time.Millisecond)) }

// A dry run says what would be done, and does nothing.
func TestFixIsADryRun(t *testing.T) {
	t.Parallel()
	p := start(t, misbehave.Spec{Kind: misbehave.EOFUnread, Count: 3})
	aged(t)
	plan := fixJSON[remedy.Plan](t, exitOK, fixFlags(p)...)
	if plan.Schema != remedy.Schema || plan.Acts() != 3 || len(plan.Parts) != 1 || plan.Parts[0].Degree != remedy.KeepAlive {
		t.Errorf("plan %+v", plan)
	}
	closewait(t, fixFlags(p)...).want(t, exitOK).says(t, "dry run: nothing was changed", "KEEPALIVE 3 connections in CLOSE_WAIT",
		"stays with the application until it closes it", "--apply")
	stillAs(t, p, tcp.CloseWait)
}

// stillAs checks that every connection of the culprits is in a state.
func stillAs(t *testing.T, p *misbehave.Program, want tcp.State) {
	t.Helper()
	view := viewOf(t, "")
	for _, c := range p.Culprits() {
		if row, ok := view.row(&c); !ok || row.State != want {
			t.Errorf("%s is listed: %v, in %v", describe(&c), ok, row.State)
		}
	}
}

// --limit takes the oldest first, an id one finding; every act is in the audit log.
func TestFixActsOnWhatWasAsked(t *testing.T) {
	t.Parallel()
	p := start(t, misbehave.Spec{Kind: misbehave.EOFUnread, Count: 2})
	must(t, wait(t.Context(), 300*time.Millisecond))
	must(t, p.More(3))
	aged(t)
	log := filepath.Join(t.TempDir(), "audit.jsonl")
	plan := fixJSON[remedy.Plan](t, exitOK, fixFlags(p)...)
	args := append(fixFlags(p), plan.Parts[0].Subject.ID, "--apply", "--degree", "shutdown", "--limit", "2", "--audit", log)
	done := fixJSON[remedy.Done](t, exitOK, args...)
	if done.Counts[remedy.DidEnd] != 2 || len(done.Results) != 2 {
		t.Fatalf("outcomes %v of %d", done.Counts, len(done.Results))
	}
	if len(done.Owners) != 1 || done.Owners[0].Before != done.Owners[0].After {
		t.Errorf("open files %+v: nobody closed any", done.Owners)
	}
	view, left := viewOf(t, ""), 0
	for i, c := range p.Culprits() {
		_, listed := view.row(&c)
		if listed {
			left++
		}
		if listed != (i >= 2) {
			t.Errorf("connection %d is listed: %v", i, listed)
		}
	}
	if left != 3 {
		t.Errorf("%d are left", left)
	}
	lines := auditLines(t, log, auditAct)
	if len(lines) != 2 {
		t.Fatalf("%d lines in the audit log", len(lines))
	}
	for _, l := range lines {
		if l["schema"] != "closewait-audit/v1" || l["outcome"] == "" || l["before"] == nil || l["after"] == nil || l["at"] == nil ||
			!strings.Contains(fmt.Sprint(l["command"]), "--degree shutdown") || l["by"] == nil {
			t.Errorf("line %v", l)
		}
	}
	if info, err := os.Stat(log); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// 1,000 stuck among 1,000 in use, in one process's namespace and on one host:
// exactly the stuck end.
func TestFixEndsExactlyTheStuck(t *testing.T) {
	t.Parallel()
	const each, grace = 1000, 4 * time.Second // on a busy machine those in use may pause for a second
	ripe := func() { must(t, wait(t.Context(), grace+100*time.Millisecond)) }
	stuck := start(t, misbehave.Spec{Kind: misbehave.EOFUnread, Count: each})
	used := start(t, misbehave.Spec{Kind: misbehave.HalfCloseInUse, Count: each / 2})
	healthy := start(t, misbehave.Spec{Kind: misbehave.ExchangeAndIdle, Count: each / 2})
	ripe()
	var pids []string
	for _, p := range []*misbehave.Program{stuck, used, healthy} {
		for _, pid := range append(p.PIDs(), p.PeerPID()) {
			pids = append(pids, strconv.Itoa(pid))
		}
	}
	for _, degree := range []string{"shutdown", "destroy"} {
		if degree == "destroy" {
			if !privilege.Held() {
				break
			}
			must(t, stuck.CloseAll())
			must(t, stuck.More(each))
			ripe()
		}
		args := []string{"fix", "--grace", grace.String(), "--pid", strings.Join(pids, ","), "--state", "CLOSE_WAIT", "--apply",
			"--degree", degree, "--max-rate", "100000/s", "--audit", filepath.Join(t.TempDir(), "audit")}
		done := fixJSON[remedy.Done](t, exitOK, args...)
		if done.Counts[remedy.DidEnd] != each || len(done.Results) != each {
			t.Errorf("%s: outcomes %v", degree, done.Counts)
		}
		view := viewOf(t, "")
		for _, c := range stuck.Culprits() {
			if row, ok := view.row(&c); ok {
				t.Errorf("%s: stuck %s is left, in %v", degree, describe(&c), row.State)
			}
		}
		for _, p := range []*misbehave.Program{used, healthy} {
			for _, c := range p.Record() {
				if row, ok := view.row(&c); !ok || row.State != c.State {
					t.Errorf("%s: %s, in use, is listed %v in %v", degree, describe(&c), ok, row.State)
				}
			}
		}
	}
}

// A process that is full gets room up to its hard limit, and accepts again.
func TestFixGivesRoom(t *testing.T) {
	t.Parallel()
	p := start(t, misbehave.Spec{Kind: misbehave.MaskedReset, Count: 20, NoFile: 64})
	aged(t)
	args := fixFlags(p, "--apply", "--degree", "room", "--audit", filepath.Join(t.TempDir(), "audit"))
	done := fixJSON[remedy.Done](t, exitOK, args...)
	if done.Counts[remedy.Raised] != 1 {
		t.Fatalf("outcomes %v", done.Counts)
	}
	r := done.Results[0]
	if r.WasMax.Soft != 64 || r.IsMax.Soft != r.WasMax.Hard || r.IsMax.Hard != r.WasMax.Hard {
		t.Errorf("from %+v to %+v", r.WasMax, r.IsMax)
	}
	// With 64 this would fail by EMFILE.
	if err := p.More(100); err != nil {
		t.Error(err)
	}
	// A second time there is no room left, and it says what remains.
	aged(t)
	closewait(t, fixFlags(p, "--degree", "room")...).want(t, exitOK).says(t, "NOTHING 120 dead descriptors", "no room is left", "CAP_SYS_RESOURCE", "restart")
}

// Dead descriptors: nothing is done, and it is said what would help.
func TestFixSaysThatMaskedLeaksCantBeFixed(t *testing.T) {
	t.Parallel()
	p := start(t, misbehave.Spec{Kind: misbehave.MaskedWrite, Count: 3})
	aged(t)
	closewait(t, fixFlags(p)...).want(t, exitOK).says(t, "NOTHING 3 dead descriptors", "can't be fixed from outside", "a restart of", "close the socket when a read returns zero")
}

func TestFixPointsAtTheListener(t *testing.T) {
	t.Parallel()
	p := start(t, misbehave.Spec{Kind: misbehave.NeverAccepted, Count: 3})
	aged(t)
	closewait(t, fixFlags(p)...).want(t, exitOK).says(t, "never accepted: destroying it frees no place", "why the listener's process does not accept")
	// Forced, it says the same, and promises no descriptor that nobody has.
	forced := fixFlags(p, "--force", "--cause", "never-accepted", "--degree", "destroy")
	for _, args := range [][]string{forced, fixFlags(p, "--force")} {
		r := closewait(t, args...).want(t, exitOK).says(t, "DESTROY 3 connections", "forced, although destroying it frees no place in the listener's queue and hides the evidence",
			"descriptor: there is none yet; the place in the listener's queue stays taken", "why the listener's process does not accept")
		if strings.Contains(r.out, "stays with the application") {
			t.Errorf("it says of a connection that no application has:\n%s", r.out)
		}
	}
	if !privilege.Held() {
		return
	}
	args := fixFlags(p, "--apply", "--force", "--audit", filepath.Join(t.TempDir(), "audit"))
	if done := fixJSON[remedy.Done](t, exitOK, args...); done.Counts[remedy.DidEnd] != 3 {
		t.Errorf("forced: outcomes %v", done.Counts)
	}
}

// Ctrl-C: no further act, and a report of those that were done.
func TestFixInterrupted(t *testing.T) {
	t.Parallel()
	p := start(t, misbehave.Spec{Kind: misbehave.EOFUnread, Count: 50})
	aged(t)
	log := filepath.Join(t.TempDir(), "audit")
	cmd := command(t, fixFlags(p, "--apply", "--degree", "shutdown", "--max-rate", "4/s", "--audit", log, "--json")...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	must(t, cmd.Start())
	within(t, time.Minute, "the first acts", func() bool {
		text, _ := os.ReadFile(log)
		return bytes.Count(text, []byte("\n")) >= 4 // the first is of the run itself
	})
	must(t, cmd.Process.Signal(os.Interrupt))
	if got := status(t, cmd.Wait()); got != exitInterrupted {
		t.Errorf("status %d: %s", got, errs.String())
	}
	var done remedy.Done
	must(t, json.Unmarshal(out.Bytes(), &done))
	ended := done.Counts[remedy.DidEnd]
	if ended < 3 || ended > 45 || done.Counts[remedy.NotReached] != 50-ended || !done.Interrupted || len(auditLines(t, log, auditAct)) != ended {
		t.Errorf("outcomes %v, %d lines in the audit log", done.Counts, len(auditLines(t, log, auditAct)))
	}
	if !strings.Contains(errs.String(), "were not reached") {
		t.Errorf("stderr %q", errs.String())
	}
}

// What no process has a descriptor of, fix does not say that the application keeps one of.
func TestFixSaysWhoHasTheDescriptor(t *testing.T) {
	t.Parallel()
	privilege.Need(t, "who holds a connection")
	for kind, want := range map[misbehave.Kind]string{
		misbehave.EOFUnread:                 "descriptor: stays with the application until it closes it",
		misbehave.Ownerless:                 "descriptor: no process was seen to have one; whatever holds it keeps it",
		misbehave.SendBlockedFinWait1Orphan: "descriptor: there is none: its application has closed it",
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := start(t, misbehave.Spec{Kind: kind, Count: 2})
			aged(t)
			closewait(t, "fix", "--grace", fixGrace.String(), "--port", strconv.Itoa(int(p.Service().Port())), "--degree", "destroy").
				want(t, exitOK).says(t, "DESTROY 2 connections", want)
		})
	}
}

func TestFixUsage(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"fix --apply", "--apply needs an ID or a filter"},
		{"fix nonsense", `"nonsense" is no finding's id`},
		{"fix --degree hard", `"--degree" flag: use auto, room, keepalive, shutdown or destroy`},
		{"fix --max-rate x", `"--max-rate" flag: use a number and a unit, such as 100/s`},
		{"fix --max-rate 0", `"--max-rate" flag: use a number and a unit`},
		{"fix --keep-idle 10ms", `"--keep-idle" flag: use 1s to`},
		{"guard", "--policy FILE is needed"},
		{"guard --policy no/such/file", "cannot read the policy"},
	} {
		r := closewait(t, strings.Fields(c.args)...).want(t, exitUsage)
		if r.out != "" || !strings.Contains(r.err, c.want) {
			t.Errorf("closewait %s says %q %q, want %q", c.args, r.out, r.err, c.want)
		}
	}
}
