package testbed

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/privilege"
)

// patience is a limit for what hangs, not a measure: every wait ends on its
// condition.
const patience = time.Minute

// Child is a running part, or another program that a test talks to.
type Child struct {
	*exec.Cmd
	t     testing.TB
	in    io.WriteCloser
	lines *bufio.Reader
}

// Command is this binary, to be started as a part. The magic link works also for a
// user who can not reach the binary by its path.
func Command(part string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = Environ(part)
	cmd.Stderr = os.Stderr
	return cmd
}

// Start starts a part. It ends with the test, if not earlier.
func Start(t testing.TB, part string, args ...string) *Child {
	t.Helper()
	return Run(t, Command(part, args...))
}

// StartApart is Start in new namespaces, which clone flags name.
func StartApart(t testing.TB, flags uintptr, part string, args ...string) *Child {
	t.Helper()
	cmd := Command(part, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	return Run(t, cmd)
}

// Run is Start for a command that needs more than arguments, and for any program.
func Run(t testing.TB, cmd *exec.Cmd) *Child {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		if cmd.SysProcAttr != nil && errors.Is(err, fs.ErrPermission) {
			privilege.Refused(t, "processes in namespaces of their own", err)
		}
		t.Fatal(err)
	}
	c := &Child{Cmd: cmd, t: t, in: in, lines: bufio.NewReader(out)}
	t.Cleanup(c.Kill)
	return c
}

// PID is its process id.
func (c *Child) PID() int { return c.Process.Pid }

// Ready waits until the part holds, and returns c.
func (c *Child) Ready() *Child {
	c.t.Helper()
	if line := c.Line(); line != "ready" && !strings.HasPrefix(line, "ready ") {
		c.t.Fatalf("process %d is not ready, but says %q", c.PID(), line)
	}
	return c
}

// Line waits for its next line of output.
func (c *Child) Line() string {
	c.t.Helper()
	late := time.AfterFunc(patience, func() { _ = c.Process.Kill() })
	defer late.Stop()
	line, err := c.lines.ReadString('\n')
	if err != nil {
		c.t.Fatalf("process %d said %q: %v", c.PID(), line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

// Tell writes it a line of words.
func (c *Child) Tell(words ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.in, words...); err != nil {
		c.t.Fatal(err)
	}
}

// Ask tells it something and returns the line that it answers.
func (c *Child) Ask(words ...any) string {
	c.t.Helper()
	c.Tell(words...)
	return c.Line()
}

// Leave lets it end by itself, for the end of its input, and well.
func (c *Child) Leave() {
	c.t.Helper()
	_ = c.in.Close()
	late := time.AfterFunc(patience, func() { _ = c.Process.Kill() })
	defer late.Stop()
	if err := c.Wait(); err != nil {
		c.t.Errorf("process %d: %v", c.PID(), err)
	}
}

// Kill ends it by a signal that it can not catch, if it has not ended.
func (c *Child) Kill() {
	if c.ProcessState != nil {
		return
	}
	_ = c.Process.Kill() // before the end of its input could end it
	_ = c.Wait()
}
