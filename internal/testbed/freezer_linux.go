package testbed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/closewait/closewait/internal/privilege"
)

// Freezer is a control group that can stop the processes in it.
type Freezer struct {
	// Name says of which hierarchy: "cgroup v1" or "cgroup v2".
	Name            string
	dir, top        string
	file            string
	freeze, release string
}

// Freezers makes one group in each hierarchy of this machine that has a freezer. They
// end with the test, and let the processes in them go on.
func Freezers(t testing.TB) (all []*Freezer) {
	t.Helper()
	privilege.Need(t, "frozen processes")
	group := fmt.Sprintf("closewait-test-%d-%s", os.Getpid(), filepath.Base(t.TempDir()))
	var refused error
	for _, f := range []Freezer{
		{Name: "cgroup v2", top: "/sys/fs/cgroup", file: "cgroup.freeze", freeze: "1", release: "0"},
		{Name: "cgroup v2", top: "/sys/fs/cgroup/unified", file: "cgroup.freeze", freeze: "1", release: "0"},
		{Name: "cgroup v1", top: "/sys/fs/cgroup/freezer", file: "freezer.state", freeze: "FROZEN", release: "THAWED"},
	} {
		if _, err := os.Stat(filepath.Join(f.top, "cgroup.procs")); err != nil { // no such hierarchy
			refused = errors.Join(refused, err)
			continue
		}
		f.dir = filepath.Join(f.top, group)
		if err := os.Mkdir(f.dir, 0o755); err != nil {
			refused = errors.Join(refused, err)
			continue
		}
		t.Cleanup(func() { f.remove(t) })
		if _, err := os.Stat(filepath.Join(f.dir, f.file)); err == nil {
			all = append(all, &f)
		}
	}
	if len(all) == 0 {
		privilege.Unsupported(t, "frozen processes", refused)
	}
	return all
}

// Add puts a process into the group.
func (f *Freezer) Add(t testing.TB, pid int) {
	t.Helper()
	write(t, filepath.Join(f.dir, "cgroup.procs"), strconv.Itoa(pid))
}

// Freeze begins to stop all in it, which takes a moment.
func (f *Freezer) Freeze(t testing.TB) {
	t.Helper()
	write(t, filepath.Join(f.dir, f.file), f.freeze)
}

// Release lets them go on.
func (f *Freezer) Release(t testing.TB) {
	t.Helper()
	write(t, filepath.Join(f.dir, f.file), f.release)
}

// remove moves what is left to the top, for a group with processes can't be removed.
func (f *Freezer) remove(t testing.TB) {
	f.Release(t)
	Await(t, "the freezer's group to go", func() bool {
		text, _ := os.ReadFile(filepath.Join(f.dir, "cgroup.procs"))
		for pid := range strings.FieldsSeq(string(text)) {
			_ = os.WriteFile(filepath.Join(f.top, "cgroup.procs"), []byte(pid), 0)
		}
		return os.Remove(f.dir) == nil
	})
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0); err != nil {
		t.Fatal(err)
	}
}
