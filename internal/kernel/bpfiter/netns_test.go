//go:build linux

package bpfiter

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/netns"
	"github.com/closewait/closewait/internal/testbed"
)

// namespace is a network namespace of the test's own, with its loopback up.
type namespace struct{ file *os.File }

// newNamespace makes one that lasts as long as the test.
func newNamespace(t testing.TB) *namespace {
	t.Helper()
	return &namespace{testbed.Namespace(t)}
}

// id is its inode number.
func (ns *namespace) id(t testing.TB) uint32 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(int(ns.file.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	return uint32(st.Ino)
}

// do runs f inside.
func (ns *namespace) do(t testing.TB, f func() error) {
	t.Helper()
	if err := ns.run(f); err != nil {
		t.Fatal(err)
	}
}

// run is do for goroutines other than the test's.
func (ns *namespace) run(f func() error) error { return netns.Do(ns.file, f) }
