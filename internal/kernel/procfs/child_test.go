//go:build linux

package procfs

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/closewait/closewait/internal/testbed"
)

// TestMain lets the test binary be the processes that the tests look at.
func TestMain(m *testing.M) {
	testbed.Play(roles)
	os.Exit(m.Run())
}

// called starts a part as the program at path, a copy of this one.
func called(t *testing.T, path, part string, args ...string) *testbed.Child {
	t.Helper()
	cmd := testbed.Command(part, args...)
	cmd.Path, cmd.Args[0] = path, path
	return testbed.Run(t, cmd)
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
