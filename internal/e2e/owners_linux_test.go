package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/collect"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/tcp"
)

// TestOwners: processes that fork, exec, exit and get used pids during a look
// never give a wrong owner, only a missing one that is said.
func TestOwners(t *testing.T) {
	t.Parallel()
	t.Run("fork, exec, exit", func(t *testing.T) {
		t.Parallel()
		c := startChurn(t, "")
		c.awaitReady(t)
		var looks []*observe.Snapshot
		// On a busy host a look takes seconds.
		for begun := time.Now(); time.Since(begun) < churnFor || len(looks) < 6 && time.Since(begun) < 5*churnFor; {
			for _, reader := range readers() {
				if reader == "bpf" && !privilege.Held() {
					continue
				}
				looks = append(looks, look(t, reader))
			}
		}
		c.end(t)
		judgeOwners(t, looks, c, os.Getpid())
	})
	t.Run("pids used again", func(t *testing.T) {
		t.Parallel()
		privilege.Need(t, "pids that are used again")
		c := startChurn(t, "400")
		looks := c.looks(t)
		c.end(t)
		judgeOwners(t, looks, c, 0)
		for _, s := range looks {
			// BPF tells the host's pids, of which this /proc knows nothing.
			if s.Reader != "procfs" || !saysThat(s, "pid namespace") {
				t.Errorf("in a pid namespace of its own the %s reader was used, with limits %+v", s.Reader, s.Limits)
				break
			}
		}
	})
}

// looks are those that the program takes of itself, until it is told to end.
func (c *churner) looks(t *testing.T) []*observe.Snapshot {
	t.Helper()
	var looks []*observe.Snapshot
	stream := bufio.NewReaderSize(c.out, 1<<20)
	for {
		line, err := stream.ReadBytes('\n')
		if len(line) > 0 {
			_, s, err := observe.Read(bytes.NewReader(line))
			if err != nil {
				t.Fatalf("%v: %.200s", err, line)
			}
			looks = append(looks, s)
		}
		if err == io.EOF {
			return looks
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// churnFor is how long a churning program is looked at.
const churnFor = 6 * time.Second

// churner is a running churning program.
type churner struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  io.ReadCloser
	said *bytes.Buffer
	log  string
}

// startChurn starts one; with pids, in namespaces of its own, where it looks at
// itself and prints what it sees.
func startChurn(t *testing.T, pids string) *churner {
	t.Helper()
	c := &churner{cmd: part(t, "churn"), log: filepath.Join(t.TempDir(), "log"), said: &bytes.Buffer{}}
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c.cmd.Args[0] = churnTitle
	c.cmd.ExtraFiles = []*os.File{log}
	c.cmd.Stderr = c.said
	if pids != "" {
		c.cmd.Env = append(c.cmd.Env, churnPids+"="+pids)
		c.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET}
	}
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if c.out, err = c.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.cmd.Process.Kill(); _ = c.cmd.Wait() })
	if pids != "" {
		go c.endWhenUsedAgain()
	}
	return c
}

// endWhenUsedAgain tells it to end after a while, on a busy host when it has used pids
// again.
func (c *churner) endWhenUsedAgain() {
	begun := time.Now()
	for time.Sleep(churnFor); time.Since(begun) < 5*churnFor; time.Sleep(churnFor / 10) {
		if log, err := readLog(c.log); err == nil && usedAgain(log) >= 2*usedAgainLeast {
			break
		}
	}
	_ = c.in.Close()
}

// usedAgainLeast is how often pids must be used again at least.
const usedAgainLeast = 10

// usedAgain is how often a pid was used again, or by one exec.
func usedAgain(log truth) (again int) {
	pids := map[int]bool{}
	for l := range log {
		if pids[l.pid] {
			again++
		}
		pids[l.pid] = true
	}
	return again
}

func (c *churner) awaitReady(t *testing.T) {
	t.Helper()
	if line, err := bufio.NewReader(c.out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v: %s", line, err, c.said)
	}
}

// end lets the program's last children go.
func (c *churner) end(t *testing.T) {
	t.Helper()
	_ = c.in.Close()
	err := c.cmd.Wait()
	if strings.Contains(c.said.String(), errOldKernel.Error()) {
		privilege.Unsupported(t, "pids that are used again", fmt.Errorf("%w", errOldKernel))
	}
	if err != nil {
		t.Fatalf("%v: %s", err, c.said)
	}
}

// watchFromInside starts the part "watch" beside a churning program in its
// namespaces, and returns how to end it; nil if that is not wanted.
func watchFromInside() (end func() error, err error) {
	if os.Getenv(churnPids) == "" {
		return nil, nil
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), partVariable+"=watch")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() error {
		_ = in.Close()
		return cmd.Wait()
	}, nil
}

// lookAgainAndAgain is the part "watch": it prints a snapshot a line until its
// standard input ends.
func lookAgainAndAgain() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	quit := make(chan struct{})
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadString(0)
		close(quit)
	}()
	for {
		select {
		case <-quit:
			return nil
		default:
		}
		s, err := collect.Look(ctx, options("auto"))
		if err != nil {
			return err
		}
		if err := observe.Write(os.Stdout, s); err != nil {
			return err
		}
	}
}

// tally is what the looks showed of a churning program's sockets.
type tally struct{ looks, leaves, parents, missing int }

// judgeOwners holds every owner that was named against what the processes said of
// themselves. tester is this process, which has no part in it.
func judgeOwners(t *testing.T, looks []*observe.Snapshot, c *churner, tester int) {
	t.Helper()
	log, err := readLog(c.log)
	if err != nil {
		t.Fatal(err)
	}
	n := tally{looks: len(looks)}
	for _, s := range looks {
		judgeLook(t, s, log, &n, tester)
	}
	again := usedAgain(log)
	t.Logf("%+v; %d entries in the log, %d by a pid used again (or by one exec)", n, len(log), again)
	if n.looks < 3 || n.leaves+n.missing == 0 {
		t.Errorf("the looks hardly met the program: %+v", n)
	}
	if c.cmd.SysProcAttr != nil && again < usedAgainLeast {
		t.Errorf("pids were used again %d times only", again)
	}
}

func judgeLook(t *testing.T, s *observe.Snapshot, log truth, n *tally, tester int) {
	t.Helper()
	churns := map[uint64]bool{} // inodes that the log knows
	for l := range log {
		churns[l.inode] = true
	}
	for i := range s.Sockets {
		x := &s.Sockets[i]
		if x.State != tcp.CloseWait || !churns[x.Inode] || !isLoopback(x.Local) {
			continue
		}
		if len(x.Holders) == 0 {
			n.missing++
			if conditionsOf(s).seesBy && (!x.Unsettled || !saysThat(s, "changed hands")) {
				t.Errorf("%s: socket %d has no owner, and no limit says why: %+v", s.Reader, x.Inode, s.Limits)
			}
		}
		for _, h := range x.Holders {
			p := find(s, int(h.PID))
			switch {
			case p == nil:
				t.Errorf("%s: socket %d is held by process %d, which is not described", s.Reader, x.Inode, h.PID)
			case p.PID == tester:
				t.Errorf("%s: socket %d is said to be held by the test", s.Reader, x.Inode)
			case len(p.Cmdline) == 0 && log[logged{p.PID, p.StartTicks, x.Inode}]:
				n.leaves++ // on its way out: its arguments go before its descriptors do
			case len(p.Cmdline) > 0 && p.Cmdline[0] == churnTitle: // the parent, or its child before exec
				n.parents++
			case len(p.Cmdline) < 2 || p.Cmdline[0] != leafTitle || p.Cmdline[1] != strconv.FormatUint(x.Inode, 10):
				t.Errorf("%s: socket %d is said to be held by %q (process %d)", s.Reader, x.Inode, p.Cmdline, h.PID)
			case !log[logged{p.PID, p.StartTicks, x.Inode}]:
				t.Errorf("%s: process %d of start time %d is %q, and never was", s.Reader, p.PID, p.StartTicks, p.Cmdline)
			default:
				n.leaves++
			}
		}
	}
}

// saysThat reports whether a limit of the look contains a text.
func saysThat(s *observe.Snapshot, text string) bool {
	return slices.ContainsFunc(s.Limits, func(l observe.Limit) bool { return strings.Contains(l.Text, text) })
}
