package privilege

import (
	"os"
	"os/exec"
	"testing"
)

// NoSkip is the environment variable that, set to 1, turns a skip for want of
// privilege into a failure.
const NoSkip = "CLOSEWAIT_NO_SKIP"

// Need goes on if the process has root's capabilities over this host, those
// that Held names. Otherwise it ends the test, which then has not checked what.
func Need(t testing.TB, what string) {
	t.Helper()
	if lack := lacking(); lack != "" {
		absent(t, what, "this process lacks "+lack)
	}
}

// Held reports whether the process has the capabilities that Need asks for:
// CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH. A test
// that checks both sides of the line asks it, and skips nothing.
func Held() bool { return lacking() == "" }

// Program returns the path of an installed program. Otherwise it ends the test,
// which then has not checked what.
func Program(t testing.TB, name, what string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		absent(t, what, err.Error())
	}
	return path
}

// Refused ends a test that was denied what Need and Program can not foresee: a
// locked-down kernel, a seccomp filter. It has not checked what.
func Refused(t testing.TB, what string, err error) {
	t.Helper()
	absent(t, what, err.Error())
}

// Unsupported skips a test of something that the running kernel or machine does
// not have, whatever the privilege. It has not checked what.
func Unsupported(t testing.TB, what string, err error) {
	t.Helper()
	t.Skipf("not checked: %s: this machine can not: %v", what, err)
}

func absent(t testing.TB, what, why string) {
	t.Helper()
	if os.Getenv(NoSkip) == "1" {
		t.Fatalf("not checked: %s: %s, and %s=1 forbids to skip", what, why, NoSkip)
	}
	t.Skipf("not checked: %s: %s", what, why)
}
