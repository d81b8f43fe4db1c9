package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/remedy"
)

// leakPace is how often a client comes and goes: a leaking server with some
// 60 descriptors lives three seconds if nobody helps.
const leakPace = 50 * time.Millisecond

// guardedFor is how long a server has to live with guard: CLOSEWAIT_GUARD=5m go
// test -run TestGuard ./cmd/closewait makes it minutes; by default it is several
// times its life without.
func guardedFor() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("CLOSEWAIT_GUARD")); err == nil {
		return d
	}
	return 12 * time.Second
}

// victim is a leaking server and its clients.
type victim struct {
	*rolePlayer
	port    string
	stop    chan bool
	clients sync.WaitGroup
}

func leaking(t *testing.T, mode string, soft, hard int) *victim {
	t.Helper()
	v := &victim{rolePlayer: playing(t, "server", mode, fmt.Sprint(soft), fmt.Sprint(hard)), stop: make(chan bool)}
	v.port = v.line()
	v.clients.Go(func() {
		// A busy machine makes them late, and not fewer.
		for next := time.Now(); ; next = next.Add(leakPace) {
			select {
			case <-v.stop:
				return
			case <-time.After(time.Until(next)):
			}
			if c, err := net.DialTimeout("tcp", "127.0.0.1:"+v.port, time.Second); err == nil {
				_, _ = c.Write([]byte("x"))
				_ = c.Close()
			}
		}
	})
	t.Cleanup(v.calm)
	return v
}

// calm sends the clients home.
func (v *victim) calm() {
	select {
	case <-v.stop:
	default:
		close(v.stop)
	}
	v.clients.Wait()
}

// fate is the server's last word: "emfile TIME", or "alive N" once it is told to go.
func (v *victim) fate() (died time.Time, closed int) {
	line := v.line()
	var nanos int64
	if n, _ := fmt.Sscanf(line, "emfile %d", &nanos); n == 1 {
		return time.Unix(0, nanos), 0
	}
	_, _ = fmt.Sscanf(line, "alive %d", &closed)
	return time.Time{}, closed
}

// dismiss tells it to go.
func (v *victim) dismiss() { _ = v.stdin.Close() }

// guarding is a running guard.
type guarding struct {
	t   *testing.T
	cmd *exec.Cmd

	mu    sync.Mutex
	lines []guardLine
	read  chan bool
}

// guardLine is a line of its output.
type guardLine struct {
	At     time.Time
	Event  string
	Rule   string
	Text   string
	PID    int       `json:"pid"`
	FullAt time.Time `json:"full_at"`
	Result *remedy.Result
}

func guardWith(t *testing.T, rule string, v *victim) *guarding {
	t.Helper()
	dir := t.TempDir()
	policy := filepath.Join(dir, "policy.yaml")
	text := fmt.Sprintf("apply: true\nevery: 1s\ngrace: 300ms\nrules:\n  - name: the leak\n    match: {pid: %d, port: %s}\n    max-per-minute: 100000\n%s", v.pid(), v.port, rule)
	must(t, os.WriteFile(policy, []byte(text), 0o600))
	g := &guarding{t: t, cmd: command(t, "guard", "--policy", policy, "--audit", filepath.Join(dir, "audit")), read: make(chan bool)}
	out, err := g.cmd.StdoutPipe()
	must(t, err)
	g.cmd.Stderr = os.Stderr
	must(t, g.cmd.Start())
	go func() {
		defer close(g.read)
		for s := bufio.NewScanner(out); s.Scan(); {
			var l guardLine
			if err := json.Unmarshal(s.Bytes(), &l); err != nil {
				t.Errorf("%v in %s", err, s.Text())
				continue
			}
			g.mu.Lock()
			g.lines = append(g.lines, l)
			g.mu.Unlock()
		}
	}()
	return g
}

// end presses Ctrl-C, and returns what was said.
func (g *guarding) end() []guardLine {
	g.t.Helper()
	must(g.t, g.cmd.Process.Signal(os.Interrupt))
	<-g.read
	if err := g.cmd.Wait(); err != nil {
		g.t.Errorf("after Ctrl-C guard ended with %v", err)
	}
	if n := len(g.lines); n == 0 || g.lines[0].Event != "start" || g.lines[n-1].Event != "stop" {
		g.t.Errorf("guard said %+v", g.lines)
	}
	return g.lines
}

func (g *guarding) said(event string) []guardLine {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []guardLine
	for _, l := range g.lines {
		if l.Event == event {
			out = append(out, l)
		}
	}
	return out
}

// Without guard, the leak kills it.
func TestLeakKillsAServerWithoutGuard(t *testing.T) {
	t.Parallel()
	v := leaking(t, "wakes", 64, 64)
	if died, _ := v.fate(); died.IsZero() {
		t.Error("it lives")
	}
}

// One that wakes up on shutdown, and closes: with guard it lives on.
func TestGuardKeepsAServerAliveThatWakesUp(t *testing.T) {
	t.Parallel()
	// Room for 8 s without guard, which begins to act after 2.
	v := leaking(t, "wakes", 160, 160)
	g := guardWith(t, "    degree: shutdown\n    only-if-open-files-above: 20%\n", v)
	must(t, wait(t.Context(), guardedFor()))
	g.end()
	v.calm()
	v.dismiss()
	died, closed := v.fate()
	if !died.IsZero() {
		t.Fatalf("it died at %v", died)
	}
	acts := g.said("act")
	t.Logf("%d acts; it closed %d descriptors", len(acts), closed)
	// Only a few at the end may not have got there yet.
	if closed < len(acts)*9/10 || closed < 60 {
		t.Errorf("it closed %d descriptors after %d acts", closed, len(acts))
	}
	for _, l := range acts {
		if l.Result.Outcome != remedy.DidEnd && l.Result.Outcome != remedy.WasGone {
			t.Errorf("%s %s", l.Result.Outcome, l.Result.Why)
		}
	}
}

// One that never closes gets room, and the time that this buys is told truly.
func TestGuardGivesRoomAndTellsHowLongItLasts(t *testing.T) {
	t.Parallel()
	timed(t, guardGivesRoom)
}

// timed plays what is about times, of which it returns one that was wrong: again, for on a
// machine that stood still for a while every forecast is wrong.
func timed(t *testing.T, play func(t *testing.T) (wrong string)) {
	t.Helper()
	for tries := 3; ; tries-- {
		wrong := play(t)
		if wrong == "" || t.Failed() {
			return
		}
		if tries == 0 {
			t.Fatal(wrong)
		}
		t.Log(wrong)
	}
}

func guardGivesRoom(t *testing.T) (wrong string) {
	hard := 64 + int(guardedFor()/leakPace) // which is how long the room lasts
	v := leaking(t, "never", 64, hard)
	g := guardWith(t, "    degree: room\n    only-if-open-files-above: 50%\n", v)
	died, _ := v.fate()
	if died.IsZero() {
		t.Fatal("it does not run out of descriptors at all")
	}
	g.end()
	acts := g.said("act")
	t.Logf("from 64 to %d descriptors, which a leak without guard fills in 3 s", hard)
	if len(acts) != 1 || acts[0].Result.Outcome != remedy.Raised || acts[0].Result.Act.Process.FullAfter == nil {
		t.Fatalf("acts %+v", acts)
	}
	_, wrong = g.warned(v.pid(), died)
	return cmp.Or(told(t, "the room", acts[0].At, *acts[0].Result.Act.Process.FullAfter, died), wrong)
}

// One that nothing helps: it is said in time, with what to do.
func TestGuardSaysInTimeThatNothingHelps(t *testing.T) {
	t.Parallel()
	timed(t, guardSaysThatNothingHelps)
}

func guardSaysThatNothingHelps(t *testing.T) (wrong string) {
	v := leaking(t, "never", 300, 300)
	born := time.Now()
	g := guardWith(t, "    degree: shutdown\n", v)
	died, _ := v.fate()
	g.end()
	first, wrong := g.warned(v.pid(), died)
	if life := died.Sub(born); first.At.Sub(born) > life*2/3 {
		wrong = fmt.Sprintf("of a life of %v it is warned after %v", life, first.At.Sub(born))
	}
	if !strings.Contains(first.Text, "nothing from outside") || !strings.Contains(first.Text, "restart") || !strings.Contains(first.Text, "close") {
		t.Errorf("the warning says %q", first.Text)
	}
	return wrong
}

// warned returns the first warning that nothing helps any more, and whether its time was
// wrong.
func (g *guarding) warned(pid int, died time.Time) (first guardLine, wrong string) {
	g.t.Helper()
	for _, l := range g.said("warning") {
		if l.PID == pid && strings.Contains(l.Text, "nothing from outside") {
			return l, told(g.t, "the warning", l.At, l.FullAt, died)
		}
	}
	g.t.Fatalf("no warning in %+v", g.lines)
	return guardLine{}, ""
}

// told checks a forecast: off by no more than a quarter of the time it was about.
func told(t *testing.T, what string, at, forecast, happened time.Time) (wrong string) {
	t.Helper()
	left := happened.Sub(at)
	t.Logf("%s: told %v ahead, off by %v", what, left.Round(time.Millisecond), forecast.Sub(happened).Round(time.Millisecond))
	if off := forecast.Sub(happened).Abs(); off > left/4+1500*time.Millisecond {
		return fmt.Sprintf("%s: told %v ahead to be at %v, and it was at %v", what, left, forecast, happened)
	}
	return ""
}

// --check reads the whole file, and says what is wrong before anything runs.
func TestGuardChecksAPolicy(t *testing.T) {
	t.Parallel()
	const rule = "rules:\n  - match: {}\n"
	for _, row := range []struct {
		policy string
		status int
		want   string
	}{
		{rule, exitOK, "- is a policy of 1 rule\n"},
		{rule + "  - match: {}\n", exitOK, "- is a policy of 2 rules\n"},
		{rule + "---\napply: true\n", exitUsage, "cannot use the policy -: line 3: a second document begins here"},
		{rule + "    degree: room\n    keepalive: {idle: 5s}\n", exitUsage, "line 4: keepalive does nothing in a rule of degree room"},
		{"rules:\n  - match: {cause: half-close-in-use}\n", exitUsage, "half-close-in-use is never stuck"},
	} {
		if r := closewaitIn(t, strings.NewReader(row.policy), "guard", "--policy", "-", "--check").want(t, row.status); !strings.Contains(r.out+r.err, row.want) {
			t.Errorf("of %q it says %q %q, want %q", row.policy, r.out, r.err, row.want)
		}
	}
}

// A dry run tells, and does nothing.
func TestGuardIsADryRunUnlessThePolicySaysSo(t *testing.T) {
	t.Parallel()
	v := leaking(t, "wakes", 500, 500)
	policy := fmt.Sprintf("every: 1s\ngrace: 100ms\nrules:\n  - match: {pid: %d}\n    degree: shutdown\n", v.pid())
	r := closewaitIn(t, strings.NewReader(policy), "guard", "--policy", "-", "--rounds", "3").want(t, exitOK)
	if !strings.Contains(r.out, `"event":"would"`) || strings.Contains(r.out, `"event":"act"`) {
		t.Errorf("it says %s", r.out)
	}
	v.calm()
	v.dismiss()
	if died, closed := v.fate(); !died.IsZero() || closed > 0 {
		t.Errorf("it died %v, or closed %d", died, closed)
	}
}
