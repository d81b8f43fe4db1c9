package container

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/closewait/closewait/internal/privilege"
)

// Self returns a static executable of the test that calls it, to be run in a
// container with, say, -test.run. It is the running one if that is static;
// one built with cgo (as the race detector is) is built once more without.
//
// It asks for the privilege that Start needs, so as not to build in vain.
func Self(t testing.TB) string {
	t.Helper()
	privilege.Need(t, what)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if static(self) == nil {
		return self
	}
	// A test runs in its package's folder (go help test).
	return build(t, "test", "-c")
}

func build(t testing.TB, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	cmd := exec.Command("go", append(args, "-buildvcs=false", "-o", path)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build a static executable: %v: %s", err, out)
	}
	return path
}

// static returns an error unless an executable asks for no dynamic loader,
// which a container with nothing but busybox does not have.
func static(path string) error {
	file, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is linked dynamically: use container.Self, or on Debian the package busybox-static", path)
		}
	}
	return nil
}

func mustStatic(t testing.TB, path string) {
	t.Helper()
	if err := static(path); err != nil {
		t.Fatal(err)
	}
}
