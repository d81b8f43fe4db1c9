package gate_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/privilege"
)

// hold is how long a program lives with what it leaks: long enough to be looked at
// (looked) on a machine that runs other tests at the same time.
const hold = 400 * time.Millisecond

// A program that lives for some 55 ms and leaks 100: its exit is what ends them.
// On a busy machine there may be no two looks in so short a life: then again, and in the
// end with a longer one.
func TestAShortProgramThatLeaksIsCaught(t *testing.T) {
	address := closing(t)
	var o *outcome
	for range 20 {
		if o = run(t, nil, act("leak", address, 100, 50*time.Millisecond)...); o.Witness.LongestGapMS < 15 {
			break
		}
	}
	if o.Witness.LongestGapMS >= 15 {
		o = looked(t, nil, 100*time.Millisecond, leaking("leak", address, 100))
	}
	if o.leaks(t, 100, diagnose.EOFUnread); o.Counts.Died != 100 || o.Counts.Inferred != 0 {
		t.Errorf("counts %+v, want 100 seen to die", o.Counts)
	}
}

func TestWithoutTracingADeathIsInferred(t *testing.T) {
	o := looked(t, []string{"--witness", "poll"}, hold, leaking("leak", closing(t), 5)).leaks(t, 5, diagnose.EOFUnread)
	if o.Counts.Inferred != 5 || !strings.Contains(o.err, "likely") {
		t.Errorf("counts %+v, want 5 inferred; said:\n%s", o.Counts, o.err)
	}
}

// Traced from the start, no process ends without a look, however young it is and
// however busy the machine.
func TestWhatIsTracedFromTheStartIsSeenExactly(t *testing.T) {
	address := closing(t)
	for range *often {
		for name, args := range map[string][]string{
			"itself":     act("leak", address, 20, 60*time.Millisecond),
			"a child":    act("spawn", address, 0, 0, act("leak", address, 20, 60*time.Millisecond)...),
			"an orphan":  {"sh", "-c", "setsid sh -c '" + strings.Join(act("leak", address, 20, 60*time.Millisecond), " ") + " &' ; sleep 0.6"},
			"many forks": {"sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do " + strings.Join(act("leak", address, 2, 60*time.Millisecond), " ") + " & done; wait"},
		} {
			if o := run(t, []string{"--witness", "trace"}, args...).leaks(t, 20, diagnose.EOFUnread); o.Counts.Inferred != 0 {
				t.Errorf("%s: counts %+v, want none inferred", name, o.Counts)
			}
		}
		run(t, []string{"--witness", "trace"}, act("late", address, 3, 30*time.Millisecond)...).passes(t)
		run(t, []string{"--witness", "trace"}, "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true | cat; done").passes(t)
	}
}

// What a program closes in its last moment is closed by the program.
func TestACloseJustBeforeTheExitIsAClose(t *testing.T) {
	address := closing(t)
	for range 10 * *often {
		if run(t, nil, act("late", address, 3, 80*time.Millisecond)...).passes(t); t.Failed() {
			return
		}
	}
}

func TestWhatIsClosedAtOncePasses(t *testing.T) {
	address := closing(t)
	for range 10 * *often {
		if run(t, nil, act("tidy", address, 3, 10*time.Millisecond)...).passes(t); t.Failed() {
			return
		}
	}
}

// SIGKILL can not be waited for: what was there at the last look counts.
func TestAKilledProgramIsJudgedByTheLastLook(t *testing.T) {
	o := looked(t, nil, hold, leaking("kill", closing(t), 5))
	if o.Counts.Died != 5 || o.status != 128+9 || o.Signal != "SIGKILL" {
		t.Errorf("counts %+v, status %d, signal %q; said:\n%s", o.Counts, o.status, o.Signal, o.err)
	}
}

// The families that a program can start.
func TestEveryDescendantIsWatched(t *testing.T) {
	address := closing(t)
	for name, family := range map[string]func(leak []string, line string) []string{
		"itself":  func(leak []string, _ string) []string { return leak },
		"a child": func(leak []string, _ string) []string { return act("spawn", address, 0, 0, leak...) },
		"a grandchild": func(_ []string, line string) []string {
			return act("spawn", address, 0, 0, append([]string{"sh", "-c"}, line+"; true")...)
		},
		"after three exec": func(_ []string, line string) []string {
			return []string{"sh", "-c", "exec sh -c 'exec sh -c \"exec " + line + "\"'"}
		},
		"a subshell": func(_ []string, line string) []string { return []string{"sh", "-c", "(" + line + " &) ; sleep 0.9"} },
		"a pipeline": func(_ []string, line string) []string { return []string{"sh", "-c", line + " | cat"} },
		"an orphan": func(_ []string, line string) []string {
			return []string{"sh", "-c", "setsid sh -c '" + line + " &' ; sleep 0.9"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			looked(t, nil, hold, func(life time.Duration) []string {
				leak := act("leak", address, 2, life)
				return family(leak, strings.Join(leak, " "))
			}).leaks(t, 2, diagnose.EOFUnread)
		})
	}
}

// A daemon of a session of its own outlives the program: it is still ours.
func TestADaemonThatOutlivesTheProgramIsWatched(t *testing.T) {
	address := closing(t)
	// The daemon's parent has ended before the program does.
	daemon := act("detach", address, 0, 0, act("detach", address, 0, 0, act("leak", address, 3, 6*time.Second)...)...)
	o := run(t, []string{"--grace", "1s"}, append([]string{"sh", "-c", `"$@"; sleep 0.1`, "sh"}, daemon...)...).leaks(t, 3, diagnose.EOFUnread)
	if len(o.Survivors) != 1 {
		t.Fatalf("survivors %+v, want the daemon; said:\n%s", o.Survivors, o.err)
	}
	if o.Counts.Stuck != 3 {
		t.Errorf("counts %+v, want 3 stuck", o.Counts)
	}
	// It goes on, though it was traced, and ends well.
	awaitGone(t, o.Survivors[0].PID)
}

func awaitGone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || bytes.Contains(text, []byte(") Z ")) {
			return
		}
	}
	t.Errorf("process %d still runs", pid)
}

// A daemon may leak when the program has ended: it is watched for as long as
// something may be half-closed.
func TestADaemonThatLeaksAfterTheProgramCounts(t *testing.T) {
	address := closing(t)
	for _, flags := range [][]string{{"--witness", "auto"}, sensorFlags(t)} {
		daemon := act("later", address, 3, 7*time.Second)
		o := run(t, append(flags, "--grace", "1900ms"), act("detach", address, 0, 0, daemon...)...).leaks(t, 3, diagnose.EOFUnread)
		if len(o.Survivors) != 1 || o.Counts.Stuck != 3 {
			t.Fatalf("survivors %+v, counts %+v; said:\n%s", o.Survivors, o.Counts, o.err)
		}
		awaitGone(t, o.Survivors[0].PID)
	}
}

// One that ends meanwhile is not waited for any longer.
func TestADaemonThatEndsIsNotWaitedFor(t *testing.T) {
	o := run(t, []string{"--grace", "20s"}, "sh", "-c", "setsid sleep 0.5 >/dev/null 2>&1 &").passes(t)
	if o.took > 15*time.Second || len(o.Survivors) != 0 {
		t.Errorf("took %v, survivors %+v", o.took, o.Survivors)
	}
}

// A daemon with nothing half-closed is watched for the grace period only.
func TestAHarmlessDaemonIsNotWaitedFor(t *testing.T) {
	o := run(t, []string{"--grace", "200ms"}, "sh", "-c", "setsid sleep 30 >/dev/null 2>&1 &").passes(t)
	if o.took > 20*time.Second || len(o.Survivors) != 1 {
		t.Errorf("took %v, survivors %+v", o.took, o.Survivors)
	}
	for _, s := range o.Survivors {
		end(t, s.PID)
	}
}

// end ends a process that has outlived a run.
func end(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Errorf("end process %d: %v", pid, err)
	}
	awaitGone(t, pid)
}

// A thousand short children, and one among them that leaks.
func TestAThousandShortChildren(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 100
	}
	address := closing(t)
	looked(t, nil, hold, func(life time.Duration) []string {
		leak := strings.Join(act("leak", address, 7, life), " ")
		return []string{"sh", "-c", fmt.Sprintf("i=0; while [ $i -lt %d ]; do /bin/true; i=$((i+1)); [ $i = %d ] && %s; done; exit 0", n, n/2, leak)}
	}).leaks(t, 7, diagnose.EOFUnread)
}

// Many children that leak are one finding.
func TestLeaksOfManyChildrenAreOneFinding(t *testing.T) {
	address := closing(t)
	o := looked(t, nil, hold, func(life time.Duration) []string {
		return []string{"sh", "-c", fmt.Sprintf("for i in 1 2 3 4 5; do %s & done; wait", strings.Join(act("leak", address, 2, life), " "))}
	}).leaks(t, 10, diagnose.EOFUnread)
	if len(o.Report.Findings) != 1 || len(o.Report.Findings[0].Owner.PIDs) != 5 {
		t.Errorf("findings: %s", o.err)
	}
}

// A connection that a child has inherited ends with the child.
func TestASharedConnectionEndsWithItsLastHolder(t *testing.T) {
	address := closing(t)
	o := looked(t, nil, hold, func(life time.Duration) []string {
		share := act("share", address, 1, life, "sleep", fmt.Sprint(life.Seconds()))
		return append([]string{"sh", "-c", fmt.Sprintf(`"$@"; sleep %v`, 2*life.Seconds()), "sh"}, share...)
	}).leaks(t, 1, diagnose.EOFUnread)
	if f := o.Report.Findings[0]; f.Owner == nil || f.Owner.Comm != "sleep" {
		t.Errorf("owner %+v, want the child", f.Owner)
	}
}

// A connection that closewait got from its caller is not the program's.
func TestAConnectionAsStandardInputIsTheCallers(t *testing.T) {
	c, err := net.Dial("tcp", closing(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd, o := watched(t, []string{"--grace", "100ms"}, "sleep", "0.4")
	cmd.Stdin = f
	o.read(t, cmd.Run()).passes(t)
}

// A child in a network namespace of its own is watched too, with privilege.
func TestAChildInANetworkNamespaceOfItsOwn(t *testing.T) {
	privilege.Need(t, "a child that unshares its network namespace")
	unshare := privilege.Program(t, "unshare", "a child that unshares its network namespace")
	looked(t, nil, hold, func(life time.Duration) []string {
		return []string{unshare, "--net", "sh", "-c", "ip link set lo up && exec " + strings.Join(act("alone", "-", 3, life), " ")}
	}).leaks(t, 3, diagnose.EOFUnread)
}

// Other connections of the host are no matter of this run.
func TestOnlyTheProgramsOwnConnectionsCount(t *testing.T) {
	address := closing(t)
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	run(t, []string{"--grace", "100ms"}, "sleep", "0.4").passes(t)
}

func TestTheGracePeriodDecides(t *testing.T) {
	address := closing(t)
	run(t, []string{"--grace", "1m"}, act("late", address, 2, 800*time.Millisecond)...).passes(t)
	if o := looked(t, []string{"--grace", "200ms"}, 800*time.Millisecond, leaking("late", address, 2)).leaks(t, 2, diagnose.EOFUnread); o.Counts.Stuck != 2 {
		t.Errorf("counts %+v, want 2 stuck", o.Counts)
	}
}

func TestSomeMayBeAllowed(t *testing.T) {
	leak := leaking("leak", closing(t), 3)
	if o := looked(t, []string{"--max-stuck", "3"}, hold, leak); o.Leaked || o.status != 0 || o.Counts.Died != 3 {
		t.Errorf("3 of 3 allowed: leaked %v, status %d, %+v", o.Leaked, o.status, o.Counts)
	}
	looked(t, []string{"--max-stuck", "2"}, hold, leak).leaks(t, 3, diagnose.EOFUnread)
}

// C5: a connection on which the program still sends is in use.
func TestAHalfCloseInUsePasses(t *testing.T) {
	address := server(t, func(c *net.TCPConn) {
		if err := c.CloseWrite(); err != nil {
			t.Error(err)
		}
		_, _ = c.WriteTo(discard{})
	})
	run(t, []string{"--grace", "1s"}, act("talk", address, 1, 3*time.Second)...).passes(t)
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// C8's correction: a RST takes the connection away, not the descriptor.
func TestDeadDescriptorsCount(t *testing.T) {
	leak := leaking("leak", resetting(t, false), 3, "reset")
	looked(t, []string{"--grace", "200ms"}, 900*time.Millisecond, leak).leaks(t, 3, diagnose.Masked)
	looked(t, nil, hold, leak).leaks(t, 3, diagnose.Masked)
}

func TestWhatIsNeverAcceptedCounts(t *testing.T) {
	cmd, o := watched(t, []string{"--grace", "300ms"}, act("listen", "-", 0, 3*time.Second)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	n, err := out.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c, err := net.Dial("tcp", strings.TrimSpace(string(buf[:n])))
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	fmt.Fprintln(in)
	err = cmd.Wait()
	o.err = errs.String()
	o.read(t, err).leaks(t, 3, diagnose.NeverAccepted)
}

// Signals of a traced program reach it, each once.
func TestATracedProgramGetsItsSignals(t *testing.T) {
	cmd, o := watched(t, nil, act("signals", closing(t), 1, 0)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := lines(out)
	said.await(t, "ready")
	pid := onlyChild(t, cmd.Process.Pid)
	awaitTraced(t, pid)
	for i := range 50 {
		if err := syscall.Kill(pid, syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		// Pending signals of a kind are one.
		said.await(t, fmt.Sprintf("got %d.", i+1))
	}
	err = cmd.Wait()
	o.err = errs.String()
	o.read(t, err).leaks(t, 1, diagnose.EOFUnread)
}

// awaitTraced waits until somebody traces a process.
func awaitTraced(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(text, []byte("TracerPid:\t0\n")) {
			return
		}
	}
	t.Fatalf("process %d is not traced", pid)
}

func onlyChild(t *testing.T, parent int) int {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		var pid int
		if text, err := os.ReadFile(f); err == nil {
			if n, _ := fmt.Sscan(string(text), &pid); n == 1 {
				return pid
			}
		}
	}
	t.Fatalf("process %d has no child", parent)
	return 0
}

// closewait may be killed at any time: the program, traced or not, goes on.
func TestTheProgramOutlivesAClosewaitThatIsKilled(t *testing.T) {
	dir := t.TempDir()
	begun, done := filepath.Join(dir, "begun"), filepath.Join(dir, "done")
	script := "echo yes >" + begun + "; " + strings.Join(act("leak", closing(t), 1, 400*time.Millisecond), " ") + " && echo yes >" + done
	cmd, _ := watched(t, nil, "sh", "-c", script)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	awaitFile(t, begun)
	time.Sleep(150 * time.Millisecond) // most often it is traced by then
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	awaitFile(t, done)
}

// awaitFile waits until a program has written something.
func awaitFile(t *testing.T, name string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if text, err := os.ReadFile(name); err == nil && len(text) > 0 {
			return
		}
	}
	t.Fatalf("the program has not written %s", name)
}

// Another tracer was there first, or none is let in: the rest works.
func TestAProgramThatIsTracedAlreadyIsPolled(t *testing.T) {
	strace := privilege.Program(t, "strace", "a program that is traced by another")
	address := closing(t)
	o := looked(t, nil, hold, func(life time.Duration) []string {
		return append([]string{strace, "-f", "-o", "/dev/null"}, act("leak", address, 2, life)...)
	})
	if o.Counts.Died != 2 || o.Counts.Inferred != 2 {
		t.Errorf("counts %+v, want 2 inferred; said:\n%s", o.Counts, o.err)
	}
}

// No privilege is needed.
// asNobody runs a program under closewait run, both as an ordinary user.
func asNobody(t *testing.T, program ...string) *outcome {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for dir := dir; dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "run.json")
	cmd := exec.CommandContext(t.Context(), command, append([]string{"-json", file, "--"}, program...)...)
	cmd.Env = append(os.Environ(), runs+"=1")
	cmd.Dir = "/"
	cmd.SysProcAttr = nobody
	text, err := cmd.CombinedOutput()
	return (&outcome{file: file, err: string(text)}).read(t, err)
}

var nobody = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}

func TestAsAnOrdinaryUser(t *testing.T) {
	privilege.Need(t, "closewait run by another user")
	address := closing(t)
	for role, want := range map[string]int{"leak": 3, "late": 0} {
		o := asNobody(t, act(role, address, 3, 4*hold)...)
		if o.Counts.Died != want || o.Counts.Inferred != 0 || !o.Report.Complete {
			t.Errorf("%s: counts %+v, want %d seen; said:\n%s", role, o.Counts, want, o.err)
		}
		if claims := strings.Contains(o.err, "no connection was left half-closed.") && strings.Contains(o.err, "it did not leak"); claims != (want == 0) {
			t.Errorf("%s: it says:\n%s", role, o.err)
		}
	}
}

// What could not be looked into is not said to be clean.
func TestANamespaceThatCanNotBeSeenIsNoSuccess(t *testing.T) {
	privilege.Need(t, "a user's program in a network namespace of its own")
	unshare := privilege.Program(t, "unshare", "a user's program in a network namespace of its own")
	try := exec.CommandContext(t.Context(), unshare, "--user", "--map-root-user", "--net", "true")
	try.SysProcAttr = nobody
	if err := try.Run(); err != nil {
		privilege.Unsupported(t, "user namespaces for everybody", err)
	}
	script := "ip link set lo up && exec " + strings.Join(act("alone", "-", 3, 4*hold), " ")
	o := asNobody(t, unshare, "--user", "--map-root-user", "--net", "sh", "-c", script)
	if o.status != 0 || o.Leaked || o.Report.Complete {
		t.Errorf("status %d, leaked %v, complete %v", o.status, o.Leaked, o.Report.Complete)
	}
	said := strings.Join(strings.Fields(o.err), " ")
	for _, want := range []string{
		"closewait run: no connection that could be seen was left half-closed; not all could be seen (below).",
		"could not see: network namespace ", "exit status 0: the program's own, and no leak was seen.",
	} {
		if strings.Count(said, want) != 1 {
			t.Errorf("it does not say %q once:\n%s", want, o.err)
		}
	}
}

// output gathers what a program prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func lines(r interface{ Read([]byte) (int, error) }) *output {
	o := &output{}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := r.Read(buf)
			o.mu.Lock()
			o.text.Write(buf[:n])
			o.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return o
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) await(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(o.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%q was not printed within 20 s, but %q", text, o.String())
		}
	}
}
