package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/scenario"
)

// leftovers are what a lab could leave behind on this machine. Other tests have
// namespaces and links of their own, so only what a lab makes is looked for.
type leftovers struct {
	// links of this host that are called as a lab's are, and this host's settings
	// that a lab tunes in its own namespaces.
	links, settings []string
	// spaces are network namespaces that this process or a lab's has open or is in.
	spaces map[string]bool
	// apps are processes of the hosts of longStory.
	apps map[string]bool
}

func lookAround(t testing.TB) leftovers {
	t.Helper()
	l := leftovers{spaces: map[string]bool{}, apps: map[string]bool{}}
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range links {
		if slices.Contains([]string{portName(0), portName(1), "bridge"}, i.Name) {
			l.links = append(l.links, i.Name)
		}
	}
	for _, s := range PaceOf(nil).settings() {
		value, _ := os.ReadFile("/proc/sys/net/ipv4/" + s.name)
		l.settings = append(l.settings, s.name+"="+strings.TrimSpace(string(value)))
	}
	open, _ := filepath.Glob("/proc/self/fd/*")
	for _, f := range open {
		l.space(f)
	}
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range lines {
		if text, err := os.ReadFile(f); err == nil && strings.HasPrefix(string(text), "(lab:mark-") {
			dir := filepath.Dir(f)
			l.apps[filepath.Base(dir)] = true
			l.space(filepath.Join(dir, "ns/net"))
		}
	}
	return l
}

// space notes the network namespace that a magic link leads to.
func (l leftovers) space(link string) {
	if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, "net:[") {
		l.spaces[to] = true
	}
}

// members are the processes that are in one of some namespaces: links in /proc
// and what they lead to. The numbers of namespaces are given out again, so only
// who was in one before can be left in it.
func members(spaces map[string]bool) map[string]bool {
	in := map[string]bool{}
	files, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	for _, f := range files {
		if ns, err := os.Readlink(f); err == nil && spaces[ns] {
			in[f+" "+ns] = true
		}
	}
	return in
}

// nothingLeft waits until all is as it was before, and nobody is left in the
// lab's namespaces of those who were.
func nothingLeft(t testing.TB, before leftovers, made, were map[string]bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		now := lookAround(t)
		used := members(made)
		maps.DeleteFunc(used, func(who string, _ bool) bool { return !were[who] })
		if reflect.DeepEqual(now, before) && len(used) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("left behind: %+v, and before it was %+v; %v", now, before, used)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// longStory is a story that takes long, whose hosts' names mark its processes.
const longStory = `
hosts mark-%[1]s mark-%[1]sx
mark-%[1]s and mark-%[1]sx are connected
mark-%[1]sx closes
wait until mark-%[1]sx gone, at most 2m
`

func letters(n int) string {
	var b []byte
	for ; n > 0; n /= 26 {
		b = append(b, byte('a'+n%26))
	}
	return string(b)
}

// hang is the part of a lab that is killed: it has two hosts, a connection and
// rules on its bridge. Without privilege it is in a user namespace.
func hang() int {
	if status, again, err := Reenter(context.Background()); again || err != nil {
		fmt.Fprintln(os.Stderr, err)
		return status
	}
	s, err := scenario.Parse("x.story", fmt.Appendf(nil, longStory, letters(os.Getpid())))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	e, err := NewEngine(context.Background(), Options{Hosts: s.Hosts})
	if err == nil {
		err = e.Rule(scenario.Rule{Fate: scenario.Lose, Class: scenario.RST, From: -1, First: 1})
	}
	if err == nil {
		s.Steps = s.Steps[:2]
		_, err = e.Play(s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(e.hosts[0].process.Process.Pid, e.hosts[1].process.Process.Pid)
	time.Sleep(time.Minute)
	return 0
}

// TestAKilledLabLeavesNothing: SIGKILL gives no chance to clean up, and there is
// nothing to clean.
func TestAKilledLabLeavesNothing(t *testing.T) {
	privilege.Need(t, "a lab that is killed")
	for _, row := range []struct {
		name string
		// stopped: the applications can not run any more when it happens.
		stopped bool
		// nobody: an ordinary user's, in a user namespace. Who is killed is the
		// process outside.
		nobody bool
	}{{"running", false, false}, {"its applications stopped", true, false}, {"an ordinary user's", true, true}} {
		t.Run(row.name, func(t *testing.T) {
			before := lookAround(t)
			cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
			cmd.Env = append(os.Environ(), partVariable+"="+partHang)
			cmd.Stderr = os.Stderr
			if row.nobody {
				cmd.SysProcAttr = ordinary()
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var apps [2]int
			_, err = fmt.Fscan(bufio.NewReader(out), &apps[0], &apps[1])
			if err != nil && row.nobody {
				_ = cmd.Wait() // its status is not asked for: it could not start
				privilege.Unsupported(t, "a lab of an ordinary user that is killed", err)
			}
			during := lookAround(t)
			inside := members(during.spaces)
			if row.stopped {
				err = errors.Join(err, unix.Kill(apps[0], unix.SIGSTOP), unix.Kill(apps[1], unix.SIGSTOP))
			}
			if killed := cmd.Process.Kill(); err != nil || killed != nil {
				t.Fatal(err, killed)
			}
			_ = cmd.Wait() // killed, as asked
			if len(during.apps) != 2 || len(during.spaces) != 2 || len(inside) != 2 {
				t.Errorf("the lab was not seen while it ran: %+v, %v", during, inside)
			}
			nothingLeft(t, before, during.spaces, inside)
			holds(t, "local and remote are connected") // and the next one works
			nothingLeft(t, before, during.spaces, inside)
		})
	}
}

// TestAnInterruptedLabLeavesNothing: the context ends in the middle of a wait.
func TestAnInterruptedLabLeavesNothing(t *testing.T) {
	privilege.Need(t, "a lab that is interrupted")
	before := lookAround(t)
	fds := openFiles(t)
	s := parse(t, fmt.Sprintf(longStory, "x"))
	for _, after := range []time.Duration{0, 10 * time.Millisecond, 30 * time.Millisecond, 300 * time.Millisecond} {
		ctx, cancel := context.WithTimeoutCause(t.Context(), after, errInterrupted)
		began := time.Now()
		_, err := Play(ctx, s, Options{})
		cancel()
		if !errors.Is(err, errInterrupted) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("interrupted after %v, the error is %v", after, err)
		}
		if took := time.Since(began); took > after+time.Minute { // the story takes two
			t.Errorf("interrupted after %v, it went on until %v", after, took)
		}
	}
	nothingLeft(t, before, nil, nil)
	if now := openFiles(t); now != fds {
		t.Errorf("%d files are open, and %d were", now, fds)
	}
	holds(t, "local and remote are connected")
}

var errInterrupted = errors.New("interrupted by the test")

func openFiles(t testing.TB) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

// TestAnOrdinaryUserPlaysAStory in a user namespace, or is told what is missing.
func TestAnOrdinaryUserPlaysAStory(t *testing.T) {
	before := lookAround(t)
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), partVariable+"="+partReenter)
	if privilege.Held() {
		cmd.SysProcAttr = ordinary()
	}
	out, _ := cmd.CombinedOutput()
	switch status := cmd.ProcessState.ExitCode(); status {
	case 7: // played
	case 4:
		if !strings.Contains(string(out), ErrUnavailable.Error()) {
			t.Errorf("it is not said what is missing: %s", out)
		}
		privilege.Unsupported(t, "a lab of an ordinary user", errors.New(string(out)))
	default:
		t.Errorf("status %d: %s", status, out)
	}
	nothingLeft(t, before, nil, nil)
}

// ordinary makes a process that of a user without privileges.
func ordinary() *syscall.SysProcAttr {
	const nobody = 65534
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}
