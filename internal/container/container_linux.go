package container

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/privilege"
)

// patience is how long a container may take for one step. It is a limit for a
// hung machine, not a measure: every wait ends on its condition.
const patience = 30 * time.Second

// what a test without the privilege has not checked.
const what = "a program in a real container"

// Spec says what runs in the container.
type Spec struct {
	// Program is the path of a static executable on the host, see Self. It is
	// found at /bin/program inside and gets Args. Empty: Args alone is the command
	// line, and its first word one of busybox's commands.
	Program string
	Args    []string
	// Env is added to a PATH of /bin. Empty: nothing but PATH.
	Env []string
	// Parent is the cgroup that holds the container's own, which is named by ID.
	// Empty: "/docker", as Docker's cgroupfs driver has it.
	Parent string
	// UID is the user and group inside. 0 is root, with Docker's capabilities.
	UID uint32
}

// Container is a running container.
type Container struct {
	// ID is 64 hexadecimal digits, new for every container.
	ID string
	// PID is the first process's id in the host's pid namespace; inside it is 1.
	PID int
	// Cgroup is its path in every hierarchy.
	Cgroup string

	dir  string // the bundle, runc's state and the output
	runc string
}

// Start runs a container until the test ends. It returns when the program has
// been executed, which does not mean that it is ready; see WaitOutput.
func Start(t testing.TB, spec Spec) *Container {
	t.Helper()
	privilege.Need(t, what)
	runc := privilege.Program(t, "runc", what)
	busybox := privilege.Program(t, "busybox", what)
	mustStatic(t, busybox)

	if spec.Parent == "" {
		spec.Parent = "/docker"
	}
	id := newID()
	dir, err := os.MkdirTemp("", "container-"+id[:12]+"-") //nolint:usetesting // the guard removes it, also when the test is killed
	if err != nil {
		t.Fatal(err)
	}
	c := &Container{ID: id, Cgroup: filepath.Join(spec.Parent, id), dir: dir, runc: runc}
	c.guard(t, busybox, spec.Parent)
	args := spec.Args
	if spec.Program != "" {
		mustStatic(t, spec.Program)
		args = append([]string{"/bin/program"}, args...)
	}
	if err := makeRoot(filepath.Join(dir, "rootfs"), busybox, spec.Program); err != nil {
		t.Fatalf("the container's root: %v", err)
	}
	if err := writeConfig(filepath.Join(dir, "config.json"), c.Cgroup, args, spec); err != nil {
		t.Fatalf("the container's configuration: %v", err)
	}
	c.run(t)
	return c
}

// NetNS is the path of the container's network namespace.
func (c *Container) NetNS() string { return fmt.Sprintf("/proc/%d/ns/net", c.PID) }

// Output is what the program has written so far, errors included.
func (c *Container) Output() string {
	text, err := os.ReadFile(filepath.Join(c.dir, "output"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// WaitOutput waits until the program has written a text, and fails the test if
// it ends first or takes too long.
func (c *Container) WaitOutput(t testing.TB, text string) {
	t.Helper()
	await(t, fmt.Sprintf("%q from the container", text), func() (bool, error) {
		_, gone := os.Stat(c.NetNS())
		if strings.Contains(c.Output(), text) {
			return true, nil
		}
		if gone != nil {
			return false, fmt.Errorf("the program ended; it wrote:\n%s", c.Output())
		}
		return false, nil
	})
}

// Exec runs one more process in the container and returns its output.
func (c *Container) Exec(args ...string) (string, error) {
	cmd := c.command(append([]string{"exec", c.ID}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s in the container: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return string(out), nil
}

func (c *Container) command(args ...string) *exec.Cmd {
	return exec.Command(c.runc, append([]string{"--root", filepath.Join(c.dir, "state")}, args...)...)
}

// run starts the container and learns its pid. All output goes to a file: a
// pipe would be held open by the container and keep runc's caller waiting.
func (c *Container) run(t testing.TB) {
	t.Helper()
	output, err := os.Create(filepath.Join(c.dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	unlock := lock(t, c.runc)
	defer unlock()
	pidFile := filepath.Join(c.dir, "pid")
	cmd := c.command("run", "--detach", "--bundle", c.dir, "--pid-file", pidFile, c.ID)
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Run(); err != nil {
		err = fmt.Errorf("runc run: %w: %s", err, strings.TrimSpace(c.Output()))
		if refused(err) {
			privilege.Refused(t, what, err)
		}
		t.Fatal(err)
	}
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	if c.PID, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
		t.Fatalf("runc's pid file: %v", err)
	}
	// runc returns when its own first stage may execute the program.
	await(t, "the program's execution", func() (bool, error) {
		return !strings.HasPrefix(c.comm(), "runc:["), nil
	})
}

// comm is the name of the container's first process, or nothing if it ended.
func (c *Container) comm() string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", c.PID))
	if err != nil {
		return ""
	}
	return string(name)
}

// refused tells a machine that allows root no containers (itself a container,
// or with a read-only cgroup tree) from a mistake of ours.
func refused(err error) bool {
	for _, sign := range []string{"read-only file system", "permission denied", "operation not permitted"} {
		if strings.Contains(strings.ToLower(err.Error()), sign) {
			return true
		}
	}
	return false
}

// await asks until the answer is yes, an error, or patience ends.
func await(t testing.TB, what string, done func() (bool, error)) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		switch ok, err := done(); {
		case err != nil:
			t.Fatalf("waiting for %s: %v", what, err)
		case ok:
			return
		case time.Now().After(deadline):
			t.Fatalf("waiting for %s: not within %v", what, patience)
		}
	}
}

func newID() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: it would end the program
	return hex.EncodeToString(b[:])
}
