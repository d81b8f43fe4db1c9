package container

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/privilege"
)

// inside names, in the environment, what a re-executed test binary does.
const inside = "CLOSEWAIT_CONTAINER_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(inside) == "server" {
		serve()
	}
	os.Exit(m.Run())
}

// serve proves that loopback is up: it talks to itself, then waits to be ended.
func serve() {
	for _, address := range []string{"127.0.0.1:0", "localhost:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			fmt.Println("listen:", err)
			os.Exit(1)
		}
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			fmt.Println("dial:", err)
			os.Exit(1)
		}
		_ = c.Close()
	}
	fmt.Println("ready as pid", os.Getpid(), "uid", os.Getuid())
	time.Sleep(10 * time.Minute) // not select {}: without cgo the runtime ends that as a deadlock
}

func TestContainerHasNamespacesOfItsOwn(t *testing.T) {
	c := Start(t, Spec{Program: Self(t), Env: []string{inside + "=server"}})
	c.WaitOutput(t, "ready as pid 1 uid 0")
	for _, kind := range []string{"net", "pid", "mnt"} {
		here, err := os.Readlink("/proc/self/ns/" + kind)
		if err != nil {
			t.Fatal(err)
		}
		there, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", c.PID, kind))
		if err != nil {
			t.Fatal(err)
		}
		if here == there {
			t.Errorf("the container shares the %s namespace %s", kind, here)
		}
	}
	if _, err := os.Stat(c.NetNS()); err != nil {
		t.Error(err)
	}
	if status := read(t, c.PID, "status"); !regexp.MustCompile(`(?m)^NSpid:\t` + strconv.Itoa(c.PID) + `\t1$`).MatchString(status) {
		t.Errorf("no NSpid line of %d and 1 in\n%s", c.PID, status)
	}
}

func TestContainerIDIsInItsCgroupPath(t *testing.T) {
	c := Start(t, Spec{Args: []string{"sleep", "1000"}})
	want := regexp.MustCompile(`(?m)^\d+:[^:]*:/docker/` + c.ID + `$`)
	if cgroups := read(t, c.PID, "cgroup"); !want.MatchString(cgroups) || len(c.ID) != 64 {
		t.Errorf("no cgroup /docker/%s in\n%s", c.ID, cgroups)
	}
	other := Start(t, Spec{Args: []string{"sleep", "1000"}, Parent: "/kubepods/burstable"})
	if cgroups := read(t, other.PID, "cgroup"); !strings.Contains(cgroups, ":/kubepods/burstable/"+other.ID) {
		t.Errorf("no cgroup %s in\n%s", other.Cgroup, cgroups)
	}
}

func TestExecJoinsTheContainer(t *testing.T) {
	c := Start(t, Spec{Args: []string{"sleep", "1000"}, UID: 1234})
	out, err := c.Exec("sh", "-c", "readlink /proc/self/ns/net; id -u")
	if err != nil {
		t.Fatal(err)
	}
	net, err := os.Readlink(c.NetNS())
	if err != nil {
		t.Fatal(err)
	}
	if want := net + "\n1234\n"; out != want {
		t.Errorf("inside: %q, want %q", out, want)
	}
	if _, err := c.Exec("false"); err == nil {
		t.Error("a failing command gave no error")
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	const what = "what a container leaves behind"
	privilege.Need(t, what)
	privilege.Program(t, "runc", what)
	privilege.Program(t, "busybox", what)
	var c *Container
	t.Run("two containers", func(t *testing.T) {
		Start(t, Spec{Args: []string{"sleep", "1000"}, Parent: "/closewait-test/a"})
		c = Start(t, Spec{Args: []string{"sleep", "1000"}, Parent: "/closewait-test/a"})
	})
	gone(t, c.PID, c.dir)
	for _, cgroup := range above(t, "/closewait-test/a") {
		if _, err := os.Stat(cgroup); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", cgroup, err)
		}
	}
}

// A test process that is killed runs no cleanup: the guard has to.
func TestGuardCleansUpAfterAKilledTest(t *testing.T) {
	const what = "what a killed test leaves behind"
	privilege.Need(t, what)
	privilege.Program(t, "runc", what)
	privilege.Program(t, "busybox", what)
	victim := exec.Command(os.Args[0], "-test.run=^TestAbandon$")
	victim.Env = append(os.Environ(), inside+"=abandon")
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = victim.Process.Kill(); _ = victim.Wait() })
	var pid int
	var dir string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "abandoned %d %s", &pid, &dir); err == nil {
			break
		}
	}
	if pid == 0 {
		t.Fatal("the other test process started no container")
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	gone(t, pid, dir)
}

// TestAbandon is the victim of the test above, and nothing by itself.
func TestAbandon(t *testing.T) {
	if os.Getenv(inside) != "abandon" {
		return
	}
	c := Start(t, Spec{Args: []string{"sleep", "1000"}})
	fmt.Println("abandoned", c.PID, c.dir)
	time.Sleep(10 * time.Minute)
}

// gone waits until a container's process and folder are no more.
func gone(t *testing.T, pid int, dir string) {
	t.Helper()
	await(t, "the container's end", func() (bool, error) {
		_, err := os.Stat(dir)
		// A zombie has no executable any more: it waits for its parent only.
		exe, exeErr := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		return errors.Is(err, os.ErrNotExist) && (exeErr != nil || filepath.Base(exe) != "busybox"), nil
	})
}

func read(t *testing.T, pid int, file string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
