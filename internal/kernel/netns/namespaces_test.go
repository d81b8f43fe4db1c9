//go:build linux

package netns_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/netns"
	"github.com/closewait/closewait/internal/testbed"
)

func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// threadNS opens the calling thread's namespace.
func threadNS() (*os.File, error) { return os.Open("/proc/thread-self/ns/net") }

// freshFile makes a namespace that only the returned file keeps.
func freshFile(t testing.TB) (f *os.File, id uint64) {
	t.Helper()
	f = testbed.Namespace(t)
	id, err := netns.Identify(f)
	must(t, "identify", err)
	return f, id
}

// mounted bind-mounts a fresh namespace below a temporary directory, and keeps
// it by nothing else.
func mounted(t testing.TB, name string) (path string, id uint64) {
	t.Helper()
	f, id := freshFile(t)
	path = filepath.Join(t.TempDir(), name)
	must(t, "create", os.WriteFile(path, nil, 0o600))
	must(t, "mount", unix.Mount("/proc/self/fd/"+strconv.Itoa(int(f.Fd())), path, "", unix.MS_BIND, ""))
	t.Cleanup(func() {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			t.Errorf("unmount: %v", err)
		}
	})
	must(t, "close", f.Close())
	return path, id
}

// inhabited starts a process in a fresh namespace, and keeps it by nothing else.
func inhabited(t testing.TB) (pid int, id uint64, end func()) {
	t.Helper()
	c := testbed.StartApart(t, syscall.CLONE_NEWNET, "hold").Ready()
	f, err := os.Open(filepath.Join("/proc", strconv.Itoa(c.PID()), "ns/net"))
	must(t, "open", err)
	defer f.Close()
	id, err = netns.Identify(f)
	must(t, "identify", err)
	return c.PID(), id, c.Kill
}

func list(t testing.TB) netns.Listing {
	t.Helper()
	l, err := netns.List(netns.Options{})
	must(t, "list", err)
	for _, err := range l.Errors {
		t.Errorf("list: %v", err)
	}
	return l
}

// find returns the namespaces of l with the given id: one or none, unless List
// is wrong.
func find(l netns.Listing, id uint64) []netns.Namespace {
	return slices.DeleteFunc(slices.Clone(l.Namespaces), func(n netns.Namespace) bool { return n.ID != id })
}

func ownID(t testing.TB) uint64 {
	t.Helper()
	f, err := threadNS()
	must(t, "open", err)
	defer f.Close()
	id, err := netns.Identify(f)
	must(t, "identify", err)
	return id
}
