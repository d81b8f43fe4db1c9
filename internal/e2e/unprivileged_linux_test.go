package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/collect"
	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/privilege"
)

// unprivilegedUID is nobody's on most systems, and no matter if not.
const unprivilegedUID = 65534

// lookOnce is the part "look": the snapshot goes to standard output.
func lookOnce() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := collect.Look(ctx, options("auto"))
	if err != nil {
		return err
	}
	return observe.Write(os.Stdout, s)
}

// part is a command that starts this binary again. The magic link works for a
// user who can not reach the binary by its path.
func part(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), partVariable+"="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

// lookUnprivileged is what an ordinary user sees: uid 65534, or whoever runs the
// tests if that is one.
func lookUnprivileged(t *testing.T) (s *observe.Snapshot, uid int) {
	t.Helper()
	cmd := part(t, "look")
	uid = os.Getuid()
	if privilege.Held() {
		uid = unprivilegedUID
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: unprivilegedUID, Gid: unprivilegedUID}}
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if _, s, err = observe.Read(bytes.NewReader(out)); err != nil {
		t.Fatal(err)
	}
	return s, uid
}

// TestUnprivileged: without privilege a look shows all that sock_diag tells, says
// whose owners it could not see and how to, and calls nothing ownerless for want
// of having looked.
func TestUnprivileged(t *testing.T) {
	t.Parallel()
	in := ownSpace(t)
	var specs []misbehave.Spec
	for _, k := range []misbehave.Kind{
		misbehave.NeverAccepted, misbehave.DataUnread, misbehave.EOFUnread, misbehave.EOFIgnoredInbound, misbehave.HalfCloseInUse,
		misbehave.SendBlocked, misbehave.MaskedReset, misbehave.PeerKeepsOpen, misbehave.OrphanDraining, misbehave.FinUnacked, misbehave.Ownerless,
	} {
		for _, uid := range []int{unprivilegedUID, 0} {
			if uid != 0 && !privilege.Held() {
				uid = 0 // our own: not root's then
			}
			specs = append(specs, misbehave.Spec{Kind: k, Count: 3, UID: uid, IPv6: uid == 0})
		}
	}
	p := populate(t, in, specs)
	p.age(settled)
	s, uid := lookUnprivileged(t)
	if s.Reader != "procfs" {
		t.Errorf("the %s reader was used, want procfs", s.Reader)
	}
	checkLimits(t, s)
	for _, x := range p.players {
		owner := x.spec.UID
		if !privilege.Held() {
			owner = uid
		}
		t.Run(x.name+"/uid "+strconv.Itoa(owner), func(t *testing.T) {
			x.here(t)
			checkSeen(t, s, x, in, owner == uid)
			if t.Failed() {
				t.Logf("limits: %+v", s.Limits)
			}
		})
	}
}

// checkLimits: what was not seen is said, with the way to see it.
func checkLimits(t *testing.T, s *observe.Snapshot) {
	t.Helper()
	r := diagnose.Diagnose(nil, s, diagnose.Options{Grace: grace})
	if r.Complete || len(r.Limits) == 0 {
		t.Errorf("complete is %v with %d limits", r.Complete, len(r.Limits))
	}
	for _, code := range []observe.LimitCode{observe.LimitOwners, observe.LimitNetNS} {
		i := slices.IndexFunc(s.Limits, func(l observe.Limit) bool { return l.Code == code && strings.Contains(l.Text, "run as root") })
		if i < 0 {
			t.Errorf("no limit %s says how to see more: %+v", code, s.Limits)
		}
	}
	for _, f := range r.Findings {
		if f.Cause == diagnose.Ownerless && f.Owner == nil && f.Sockets != nil && f.Sockets[0].Inode != 0 {
			t.Errorf("called ownerless, though owners could not be seen: %+v", f)
		}
	}
}

// checkSeen holds what an ordinary user's report says of a program against its
// record. The peer is the test's own user's.
func checkSeen(t *testing.T, s *observe.Snapshot, x *player, in *space, own bool) {
	t.Helper()
	found := about(s, x, in, grace)
	for _, c := range x.record() {
		if c.Cause == "" || c.Cause == string(diagnose.Masked) && !own {
			continue // whether a foreign descriptor is dead can not be asked
		}
		f, d := listing(found, &c)
		if f == nil {
			t.Errorf("%v → %v (%s) is not reported", c.Local, c.Remote, c.Cause)
			continue
		}
		want := causeOf(&c, conditions{reader: "procfs"})
		if f.Cause != want || f.Stuck != isStuck(&c, want) {
			t.Errorf("%v → %v is %s (stuck %v), want %s", c.Local, c.Remote, f.Cause, f.Stuck, want)
		}
		switch {
		case c.PID == 0 || !own && c.Culprit || privilege.Held() && !c.Culprit:
			if f.Owner != nil || len(d.FDs) > 0 {
				t.Errorf("%v → %v (%s) has the owner %+v, which can not have been seen", c.Local, c.Remote, c.Cause, f.Owner)
			}
		case f.Owner == nil || !slices.ContainsFunc(f.Owner.PIDs, func(p diagnose.OwnerPID) bool { return p.PID == c.PID }):
			t.Errorf("%v → %v (%s) has the owner %+v, want process %d", c.Local, c.Remote, c.Cause, f.Owner, c.PID)
		}
	}
}

// listing finds a recorded socket among findings.
func listing(found []diagnose.Finding, c *misbehave.Conn) (*diagnose.Finding, *diagnose.SocketDetail) {
	for i := range found {
		for j := range found[i].Sockets {
			if matches(c, &found[i].Sockets[j]) {
				return &found[i], &found[i].Sockets[j]
			}
		}
	}
	return nil, nil
}
