//go:build linux

package netns_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/netns"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/testbed"
)

// TestMain also is the child that lives in a namespace, and the one that lists
// without privilege.
func TestMain(m *testing.M) {
	testbed.Play(map[string]testbed.Part{
		"hold": func([]string) error { return testbed.Hold() },
		"list": func(args []string) error { return listUnprivileged(args[0]) },
	})
	os.Exit(m.Run())
}

func TestOwnComesFirst(t *testing.T) {
	l := list(t)
	if len(l.Namespaces) == 0 || l.Namespaces[0].ID != ownID(t) {
		t.Fatalf("namespaces are %+v, want %d first", l.Namespaces, ownID(t))
	}
	for i, n := range l.Namespaces {
		if n.Own != (i == 0) {
			t.Errorf("namespace %d at %d has Own %v", n.ID, i, n.Own)
		}
	}
	own := l.Namespaces[0]
	if !slices.Contains(own.PIDs, os.Getpid()) || own.Path() != "/proc/thread-self/ns/net" {
		t.Errorf("own namespace is %+v by %s", own, own.Path())
	}
	if l.Processes < len(own.PIDs) || l.Hidden > l.Processes {
		t.Errorf("%d processes, %d hidden, %d here", l.Processes, l.Hidden, len(own.PIDs))
	}
}

func TestMountedNamespace(t *testing.T) {
	path, id := mounted(t, "blue sky\\") // the kernel escapes both in mountinfo
	got := find(list(t), id)
	if len(got) != 1 {
		t.Fatalf("found %d times", len(got))
	}
	n := got[0]
	if n.Name != "blue sky\\" || n.Mount != path || n.Path() != path || len(n.PIDs) != 0 || n.Own {
		t.Errorf("namespace is %+v", n)
	}
	wantOpens(t, n)
	must(t, "unmount", unix.Unmount(path, 0))
	if got := find(list(t), id); len(got) != 0 {
		t.Errorf("after unmounting it is still listed: %+v", got)
	}
	wantGone(t, n)
}

func TestInhabitedNamespace(t *testing.T) {
	pid, id, end := inhabited(t)
	got := find(list(t), id)
	if len(got) != 1 {
		t.Fatalf("found %d times", len(got))
	}
	n := got[0]
	if n.Name != "" || !slices.Equal(n.PIDs, []int{pid}) || n.Path() != fmt.Sprintf("/proc/%d/ns/net", pid) {
		t.Errorf("namespace is %+v", n)
	}
	wantOpens(t, n)
	end()
	if got := find(list(t), id); len(got) != 0 {
		t.Errorf("after its process ended it is still listed: %+v", got)
	}
	wantGone(t, n)
}

// TestMountedAndInhabited: one namespace, found in two ways, is listed once, and
// opens as long as one of the ways is left.
func TestMountedAndInhabited(t *testing.T) {
	pid, id, end := inhabited(t)
	path := filepath.Join(t.TempDir(), "green")
	must(t, "create", os.WriteFile(path, nil, 0o600))
	must(t, "mount", unix.Mount(fmt.Sprintf("/proc/%d/ns/net", pid), path, "", unix.MS_BIND, ""))
	defer func() { _ = unix.Unmount(path, unix.MNT_DETACH) }() // in case the test ends before it does so
	got := find(list(t), id)
	if len(got) != 1 || got[0].Name != "green" || !slices.Equal(got[0].PIDs, []int{pid}) {
		t.Fatalf("namespaces are %+v", got)
	}
	wantOpens(t, got[0])
	must(t, "unmount", unix.Unmount(path, 0))
	wantOpens(t, got[0]) // through the process
	end()
	wantGone(t, got[0])
}

func wantOpens(t *testing.T, n netns.Namespace) {
	t.Helper()
	f, err := n.Open()
	must(t, "open", err)
	defer f.Close()
	if id, err := netns.Identify(f); err != nil || id != n.ID {
		t.Errorf("opened %d, %v; want %d", id, err, n.ID)
	}
}

func wantGone(t *testing.T, n netns.Namespace) {
	t.Helper()
	f, err := n.Open()
	if own, ok := errors.AsType[*netns.Error](err); !ok || own.Op != "open" || !errors.Is(err, netns.ErrGone) {
		t.Errorf("open gives %v, %v; want ErrGone", f, err)
	}
}

// TestOpenNoticesReuse: a pid that now belongs to somebody else opens nothing.
func TestOpenNoticesReuse(t *testing.T) {
	n := netns.Namespace{ID: ownID(t) + 1, PIDs: []int{os.Getpid()}}
	wantGone(t, n)
}

// TestUnprivilegedList: what may not be seen is counted, and is no error.
func TestUnprivilegedList(t *testing.T) {
	privilege.Need(t, "listing without privilege")
	inhabited(t) // somebody to be hidden
	path, _ := mounted(t, "closed")
	must(t, "chmod", os.Chmod(filepath.Dir(path), 0o700))
	cmd := testbed.Command("list", path)
	cmd.Dir = "/"
	cmd.Stderr = nil
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("child: %v: %s", err, out)
	}
}

// listUnprivileged is the part of that test: a namespace is mounted at mount.
func listUnprivileged(mount string) error {
	l, err := netns.List(netns.Options{})
	if err != nil || len(l.Errors) > 0 {
		return fmt.Errorf("list: %w, %v", err, l.Errors)
	}
	if len(l.Namespaces) == 0 || !l.Namespaces[0].Own || l.Hidden == 0 {
		return fmt.Errorf("listing is %+v", l)
	}
	i := slices.IndexFunc(l.Namespaces, func(n netns.Namespace) bool { return n.Mount == mount })
	if i < 0 {
		return errors.New("the mount is not listed")
	}
	if _, err := l.Namespaces[i].Open(); !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("open: %w", err)
	}
	self, err := os.Open("/proc/self/ns/net")
	if err == nil {
		err = netns.Do(self, func() error { return nil })
	}
	own, ok := errors.AsType[*netns.Error](err)
	if !ok || own.Op != "enter" || !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("enter: %w", err)
	}
	return nil
}

// fakeProc makes a proc file system of n processes that share two namespaces,
// as /proc shows them.
func fakeProc(t testing.TB, n int) string {
	t.Helper()
	root := t.TempDir()
	link := func(pid string, id int) {
		dir := filepath.Join(root, pid, "ns")
		must(t, "mkdir", os.MkdirAll(dir, 0o700))
		must(t, "link", os.Symlink(fmt.Sprintf("net:[%d]", id), filepath.Join(dir, "net")))
	}
	link("thread-self", 100)
	for i := 1; i <= n; i++ {
		link(strconv.Itoa(i), 100+i%2)
	}
	must(t, "mkdir", os.Mkdir(filepath.Join(root, "self"), 0o700))
	must(t, "write", os.WriteFile(filepath.Join(root, "self/mountinfo"), nil, 0o600))
	return root
}

func TestProcRoot(t *testing.T) {
	root := fakeProc(t, 5)
	must(t, "mkdir", os.MkdirAll(filepath.Join(root, "6"), 0o700)) // no ns: it ended just now
	must(t, "mkdir", os.MkdirAll(filepath.Join(root, "7/ns"), 0o700))
	must(t, "link", os.Symlink("nonsense", filepath.Join(root, "7/ns/net")))
	must(t, "mkdir", os.MkdirAll(filepath.Join(root, "-8"), 0o700))
	l, err := netns.List(netns.Options{ProcRoot: root})
	must(t, "list", err)
	if len(l.Namespaces) != 2 || l.Processes != 6 || l.Hidden != 0 {
		t.Fatalf("listing is %+v", l)
	}
	if a, b := l.Namespaces[0].PIDs, l.Namespaces[1].PIDs; !slices.Equal(a, []int{2, 4}) || !slices.Equal(b, []int{1, 3, 5}) {
		t.Errorf("pids are %v and %v", a, b)
	}
	if len(l.Errors) != 1 || !errors.Is(l.Errors[0], netns.ErrNotNetwork) {
		t.Errorf("errors are %v, want one about process 7", l.Errors)
	}
}

func TestListWithoutProc(t *testing.T) {
	empty := t.TempDir()
	for _, root := range []string{empty, filepath.Join(empty, "absent")} {
		_, err := netns.List(netns.Options{ProcRoot: root})
		if own, ok := errors.AsType[*netns.Error](err); !ok || own.Op != "list" || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: error is %v", root, err)
		}
	}
	root := fakeProc(t, 1)
	must(t, "remove", os.Remove(filepath.Join(root, "self/mountinfo")))
	l, err := netns.List(netns.Options{ProcRoot: root})
	must(t, "list", err)
	if len(l.Errors) != 1 || len(l.Namespaces) != 2 {
		t.Errorf("without mountinfo: %+v", l)
	}
}

// BenchmarkList has 1,000 real processes; "here" is the machine as it is.
func BenchmarkList(b *testing.B) {
	run := func(b *testing.B) {
		b.ReportAllocs()
		var l netns.Listing
		for b.Loop() {
			l = list(b)
		}
		b.ReportMetric(float64(l.Processes), "processes")
	}
	b.Run("here", run)
	b.Run("and 1000 more", func(b *testing.B) {
		crowd(b, 1000)
		run(b)
	})
}

// crowd keeps n more processes until the benchmark ends. One shell that forks
// costs less than n programs.
func crowd(b *testing.B, n int) {
	cmd := exec.Command("/bin/sh", "-c", fmt.Sprintf(
		`i=0; while [ $i -lt %d ]; do cat <&3 >/dev/null & i=$((i+1)); done; echo; cat <&3 >/dev/null; wait`, n))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	r, w, err := os.Pipe()
	must(b, "pipe", err)
	cmd.ExtraFiles = []*os.File{r}
	out, err := cmd.StdoutPipe()
	must(b, "pipe", err)
	must(b, "start", cmd.Start())
	must(b, "close", r.Close())
	b.Cleanup(func() {
		_ = w.Close()
		_ = cmd.Wait()
	})
	_, err = bufio.NewReader(out).ReadString('\n')
	must(b, "wait for the crowd", err)
}
