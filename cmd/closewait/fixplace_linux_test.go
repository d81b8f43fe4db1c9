package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/collect"
	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/kernel/netns"
	"github.com/closewait/closewait/internal/kernel/sockdiag"
	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/remedy"
	"github.com/closewait/closewait/internal/testbed"
	"github.com/closewait/closewait/tcp"
)

// fixGrace is short enough to wait for.
const fixGrace = time.Second

// start starts a program that misbehaves, and ends it with the test.
func start(t testing.TB, s misbehave.Spec) *misbehave.Program {
	t.Helper()
	p, err := misbehave.Start(t.Context(), s)
	if errors.Is(err, misbehave.ErrPrivilege) {
		privilege.Refused(t, string(s.Kind), err)
	}
	if errors.Is(err, misbehave.ErrUnsupported) {
		privilege.Unsupported(t, string(s.Kind), err)
	}
	if err != nil {
		t.Fatalf("%s: %v", s.Kind, err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// foreignPath makes a network namespace with loopback up, mounted on a path of the
// test's until its end.
func foreignPath(t *testing.T) string {
	t.Helper()
	privilege.Need(t, "a network namespace of its own")
	path := filepath.Join(t.TempDir(), "ns")
	must(t, os.WriteFile(path, nil, 0o600))
	testbed.Unshare(t, func() error { return unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, "") })
	t.Cleanup(func() { must(t, unix.Unmount(path, unix.MNT_DETACH)) })
	return path
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// twoLooks are a second apart, as fix takes them.
func twoLooks(t testing.TB) (prev, cur *observe.Snapshot) {
	t.Helper()
	for i, s := range []**observe.Snapshot{&prev, &cur} {
		if i > 0 {
			must(t, wait(t.Context(), time.Second))
		}
		snap, err := collect.Look(t.Context(), collect.Options{Window: fixGrace})
		must(t, err)
		*s = snap
	}
	return prev, cur
}

// planFor plans for the culprits of one program alone.
func planFor(prev, cur *observe.Snapshot, p *misbehave.Program, o remedy.Options) *remedy.Plan {
	r := diagnose.Diagnose(prev, cur, diagnose.Options{Grace: fixGrace, Sockets: true, Filter: diagnose.Filter{Ports: portsOf(p)}})
	plan := remedy.Make(prev, cur, r, o)
	cookies := map[uint64]bool{}
	for _, c := range p.Culprits() {
		cookies[c.Cookie] = true
	}
	for i := range plan.Parts {
		plan.Parts[i].Acts = slices.DeleteFunc(plan.Parts[i].Acts, func(a remedy.Act) bool { return a.Socket != nil && !cookies[a.Socket.Cookie] })
	}
	return plan
}

// planOf plans for one end of one connection alone. Other namespaces have the same
// addresses and ports, but hardly the same two ports.
func planOf(prev, cur *observe.Snapshot, end tcp.Flow, o remedy.Options) *remedy.Plan {
	r := diagnose.Diagnose(prev, cur, diagnose.Options{Grace: fixGrace, Sockets: true, Filter: diagnose.Filter{Ports: []uint16{end.Local.Port()}}})
	plan := remedy.Make(prev, cur, r, o)
	for i := range plan.Parts {
		plan.Parts[i].Acts = slices.DeleteFunc(plan.Parts[i].Acts, func(a remedy.Act) bool {
			return a.Socket != nil && (tcp.Flow{Local: a.Socket.Local, Remote: a.Socket.Remote}).Unmapped() != end
		})
	}
	return plan
}

// portsOf are the ports that tell a program's sockets from all others.
func portsOf(p *misbehave.Program) []uint16 {
	var out []uint16
	for _, l := range p.Listeners() {
		out = append(out, l.Local.Port())
	}
	if port := p.Service().Port(); port != 0 {
		out = append(out, port)
	}
	return out
}

// carryOut does a plan at once, and waits for what ends.
func carryOut(t testing.TB, plan *remedy.Plan, settle time.Duration) *remedy.Done {
	t.Helper()
	h := newHand()
	defer h.close()
	r := remedy.Runner{Hand: h, Clock: wallClock{}, Record: func(*remedy.Result) error { return nil }, Settle: settle}
	done, err := r.Run(t.Context(), plan)
	must(t, err)
	return done
}

// kernelView asks the kernel about single sockets of one namespace.
type kernelView struct {
	t    testing.TB
	conn *sockdiag.Conn
}

// viewOf opens the namespace at the path; "" is the own one.
func viewOf(t testing.TB, path string) kernelView {
	t.Helper()
	fd := 0
	if path != "" {
		f, err := os.Open(path)
		must(t, err)
		defer f.Close()
		fd = int(f.Fd())
	}
	conn, err := sockdiag.Dial(fd)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return kernelView{t, conn}
}

// row is the socket as it is now, false if the kernel lists it no more.
func (v kernelView) row(c *misbehave.Conn) (sockdiag.Row, bool) {
	v.t.Helper()
	id := sockdiag.ID{Local: c.Local, Remote: c.Remote, Cookie: c.Cookie}
	row, err := v.conn.Get(v.t.Context(), id)
	if errors.Is(err, sockdiag.ErrNotFound) {
		return row, false
	}
	must(v.t, err)
	return row, true
}

// within waits for a condition, for a deadline and not for a time.
func within(t testing.TB, d time.Duration, what string, ok func() bool) bool {
	t.Helper()
	for deadline := time.Now().Add(d); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("not within %v: %s", d, what)
			return false
		}
	}
	return true
}

func inode(t testing.TB, path string) uint64 {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	id, err := netns.Identify(f)
	must(t, err)
	return id
}

func describe(c *misbehave.Conn) string {
	return fmt.Sprintf("%v → %v (%v, cookie %x)", c.Local, c.Remote, c.State, c.Cookie)
}
