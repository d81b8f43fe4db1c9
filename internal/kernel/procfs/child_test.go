//go:build linux

package procfs

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const roleVar = "CLOSEWAIT_PROCFS_ROLE"

// TestMain lets the test binary be the processes that the tests look at.
func TestMain(m *testing.M) {
	name := os.Getenv(roleVar)
	if name == "" {
		os.Exit(m.Run())
	}
	role, ok := roles[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "no role %q\n", name)
		os.Exit(2)
	}
	if err := role(os.Args[1:]); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// child is a running role.
type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Reader
}

// spawn starts a role; it ends with the test. A role waits for its standard
// input to end.
func spawn(t *testing.T, attr *syscall.SysProcAttr, role string, args ...string) *child {
	t.Helper()
	return spawnAs(t, "/proc/self/exe", attr, role, args...)
}

func spawnAs(t *testing.T, exe string, attr *syscall.SysProcAttr, role string, args ...string) *child {
	t.Helper()
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), roleVar+"="+role)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = attr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, cmd: cmd, stdin: stdin, lines: bufio.NewReader(stdout)}
	t.Cleanup(c.end)
	return c
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// line waits for the role's next line of output.
func (c *child) line() string {
	c.t.Helper()
	late := time.AfterFunc(20*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer late.Stop()
	line, err := c.lines.ReadString('\n')
	if err != nil || strings.HasPrefix(line, "error:") {
		c.t.Fatalf("child %d: %q, %v", c.pid(), line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

func (c *child) end() {
	if c.cmd.ProcessState != nil {
		return
	}
	_ = c.stdin.Close()
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// ready tells the test that the role is in place, and waits for its end.
func ready(words ...any) error {
	fmt.Println(append([]any{"ready"}, words...)...)
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// copyBinary puts a copy of the test binary at dir/name.
func copyBinary(t *testing.T, dir, name string) string {
	t.Helper()
	from, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	path := filepath.Join(dir, name)
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
