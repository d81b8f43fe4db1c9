package container

import (
	"io"
	"os"
	"os/exec"
	"path"
	"strings"
	"syscall"
	"testing"
)

// guardScript waits for the end of its input, then removes the container, the
// folder, and the cgroups above the container's that are empty: a runtime makes
// those again when it needs them. It takes the lock of run, so that none
// vanishes under a container that is just starting.
const guardScript = `
busybox=$1 runc=$2 dir=$3 id=$4; shift 4
read -r _
exec 9<"$runc"
"$busybox" flock 9
status=0
if [ -e "$dir/state/$id" ]; then "$runc" --root "$dir/state" delete --force "$id" || status=1; fi
for cgroup; do "$busybox" rmdir "$cgroup" 2>/dev/null; done
"$busybox" rm -rf "$dir" || status=1
exit $status
`

// guard starts the process that cleans up after the container, whether the test
// ends, panics, or is killed. It must be in place before the container is.
func (c *Container) guard(t testing.TB, busybox, parent string) {
	t.Helper()
	args := append([]string{"sh", "-c", guardScript, "guard", busybox, c.runc, c.dir, c.ID}, above(t, parent)...)
	cmd := exec.Command(busybox, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // survives what ends the test's process group
	// A file, not a pipe: the guard may outlive its reader.
	said, err := os.CreateTemp("", "container-guard-") //nolint:usetesting // has no name from the next line on
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(said.Name()); err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = said, said
	hold, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("the container's guard: %v", err)
	}
	t.Cleanup(func() {
		defer said.Close()
		_ = hold.Close()
		if err := cmd.Wait(); err != nil {
			_, _ = said.Seek(0, io.SeekStart)
			text, _ := io.ReadAll(said)
			t.Errorf("cleaning up container %s: %v: %s", c.ID, err, text)
		}
	})
}

// above lists the folders of a cgroup and those above it, deepest first, in
// every mounted hierarchy.
func above(t testing.TB, cgroup string) []string {
	t.Helper()
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) < 3 || f[2] != "cgroup" && f[2] != "cgroup2" {
			continue
		}
		for c := path.Clean(cgroup); c != "/" && c != "."; c = path.Dir(c) {
			folders = append(folders, path.Join(f[1], c))
		}
	}
	return folders
}

// lock keeps other containers' starts and removals out, those of other
// processes too. The lock is on a file that is there anyway, so that none is
// left behind.
func lock(t testing.TB, path string) (unlock func()) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatalf("lock %s: %v", path, err)
	}
	return func() { _ = file.Close() }
}
