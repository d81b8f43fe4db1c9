package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/remedy"
	"github.com/closewait/closewait/tcp"
)

const nobody = 65534

// Whoever lacks a capability is told which, nothing is done, and nothing is called
// done.
func TestFixSaysWhichCapabilityIsMissing(t *testing.T) {
	t.Parallel()
	privilege.Need(t, "what fix says for want of each capability")
	setpriv := privilege.Program(t, "setpriv", "what fix says for want of each capability")
	own := start(t, misbehave.Spec{Kind: misbehave.EOFUnread, Count: 2})
	others := start(t, misbehave.Spec{Kind: misbehave.EOFUnread, Count: 2, UID: nobody, NoFile: 64})
	aged(t)
	for _, c := range []struct {
		name, without string
		program       *misbehave.Program
		degree        remedy.Degree
		want          string
	}{
		{"destroy", "-net_admin", own, remedy.Destroy, "CAP_NET_ADMIN"},
		{"room for another user's", "-sys_resource", others, remedy.Room, "CAP_SYS_RESOURCE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := fixFlags(c.program, "--apply", "--degree", string(c.degree), "--audit", filepath.Join(t.TempDir(), "audit"), "--json")
			done := doneOf(t, without(t, setpriv, c.without, args...), exitStuck)
			if done.Counts[remedy.Refused] != len(done.Results) || len(done.Results) == 0 {
				t.Fatalf("outcomes %v", done.Counts)
			}
			for _, r := range done.Results {
				if r.Kind != remedy.Denied || !strings.Contains(r.Why, c.want) {
					t.Errorf("%s: %s", r.Kind, r.Why)
				}
			}
			stillAs(t, c.program, tcp.CloseWait)
		})
	}
}

// without is the command without a capability, such as "-net_admin".
func without(t *testing.T, setpriv, capability string, args ...string) *exec.Cmd {
	cmd := command(t, args...)
	cmd.Args = append([]string{setpriv, "--bounding-set=" + capability, cmd.Path}, args...)
	cmd.Path = setpriv
	return cmd
}

// Without CAP_SYS_PTRACE owners can't even be seen: that is said, and what would
// have to be done without knowing them is not done unasked.
func TestFixOfWhatCantBeSeen(t *testing.T) {
	t.Parallel()
	privilege.Need(t, "fix without CAP_SYS_PTRACE")
	setpriv := privilege.Program(t, "setpriv", "fix without CAP_SYS_PTRACE")
	p := start(t, misbehave.Spec{Kind: misbehave.EOFUnread, Count: 2, UID: nobody})
	aged(t)
	for degree, want := range map[string]string{"auto": "who holds it could not be seen", "shutdown": "no process was seen that holds"} {
		cmd := without(t, setpriv, "-sys_ptrace", "fix", "--grace", fixGrace.String(), "--port", strconv.Itoa(int(p.Service().Port())), "--degree", degree)
		out, err := cmd.Output()
		r := result{out: string(out), status: status(t, err)}
		r.want(t, exitOK).says(t, "NOTHING 2 connections", want, "CAP_SYS_PTRACE")
	}
}

// doneOf runs a fix --json --apply and returns what came of it.
func doneOf(t *testing.T, cmd *exec.Cmd, want int) remedy.Done {
	t.Helper()
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if got := status(t, err); got != want {
		t.Fatalf("status %d, want %d: %s %s", got, want, out, errs.String())
	}
	var done remedy.Done
	if err := json.Unmarshal(out, &done); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return done
}

// An ordinary user fixes what is their own, and is told why nothing else.
func TestFixWithoutPrivilege(t *testing.T) {
	t.Parallel()
	privilege.Need(t, "fix as another user")
	mine := start(t, misbehave.Spec{Kind: misbehave.EOFUnread, Count: 3, UID: nobody})
	roots := start(t, misbehave.Spec{Kind: misbehave.EOFUnread, Count: 3})
	aged(t)
	as := func(args ...string) *exec.Cmd {
		cmd := command(t, args...)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		return cmd
	}
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	must(t, os.Chmod(dir, 0o777))
	// /proc shows descriptors to processes that may be traced; a program that has
	// changed its user may not (PR_SET_DUMPABLE), so the port alone names it.
	port := func(p *misbehave.Program) string { return strconv.Itoa(int(p.Service().Port())) }
	out, err := as("fix", "--grace", fixGrace.String(), "--port", port(roots)).CombinedOutput()
	if status(t, err) != exitOK || !strings.Contains(strings.Join(strings.Fields(string(out)), " "), "who holds it could not be seen") {
		t.Errorf("dry run: %v %s", err, out)
	}
	destroy := as("fix", "--grace", fixGrace.String(), "--port", port(roots), "--apply", "--degree", "destroy", "--json")
	destroy.Env = append(destroy.Env, "XDG_STATE_HOME="+dir)
	done := doneOf(t, destroy, exitStuck)
	if done.Counts[remedy.Refused] != 3 || !strings.Contains(done.Results[0].Why, "CAP_NET_ADMIN") {
		t.Errorf("outcomes %v %+v", done.Counts, done.Results)
	}
	// The folder of the default is made.
	if lines := auditLines(t, filepath.Join(dir, "closewait", "audit.jsonl"), auditAct); len(lines) != 3 {
		t.Errorf("%d lines in the audit log", len(lines))
	}
	stillAs(t, roots, tcp.CloseWait)
	stillAs(t, mine, tcp.CloseWait)
}

// A seccomp filter that hides or forbids pidfd_getfd, as containers have it.
func TestFixUnderSeccomp(t *testing.T) {
	t.Parallel()
	privilege.Need(t, "fix under a seccomp filter")
	p := start(t, misbehave.Spec{Kind: misbehave.EOFUnread, Count: 3})
	aged(t)
	for _, c := range []struct {
		errno unix.Errno
		kind  remedy.Kind
		want  string
	}{
		{unix.ENOSYS, remedy.Unsupported, "seccomp"},
		{unix.EPERM, remedy.Denied, "seccomp"},
	} {
		args := fixFlags(p, "--apply", "--degree", "shutdown", "--json", "--audit", filepath.Join(t.TempDir(), "audit"))
		cmd := exec.Command("/proc/self/exe", append([]string{strconv.Itoa(int(c.errno)), binary}, args...)...)
		cmd.Env = append(os.Environ(), roleVariable+"=confined")
		done := doneOf(t, cmd, exitStuck)
		if done.Counts[remedy.Refused] != 3 {
			t.Fatalf("%v: outcomes %v", c.errno, done.Counts)
		}
		for _, r := range done.Results {
			if r.Kind != c.kind || !strings.Contains(r.Why, c.want) {
				t.Errorf("%v: %s: %s", c.errno, r.Kind, r.Why)
			}
		}
	}
	stillAs(t, p, tcp.CloseWait)
}

// confined becomes the program in args[1:] with pidfd_getfd answering the error args[0].
func confined(args []string) error {
	errno, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	const nr = 0 // offsetof(struct seccomp_data, nr)
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: nr},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.SYS_PIDFD_GETFD},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	const allThreads = 1 // SECCOMP_FILTER_FLAG_TSYNC
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, 1 /* SECCOMP_SET_MODE_FILTER */, allThreads, uintptr(unsafe.Pointer(&program))); errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, roleVariable+"=") {
			env = append(env, v)
		}
	}
	return syscall.Exec(args[1], args[1:], env)
}
