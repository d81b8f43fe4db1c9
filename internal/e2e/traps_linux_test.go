package e2e

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/testbed"
	"github.com/closewait/closewait/tcp"
)

// trap is one of causes.md, "Traps: what a naive rule gets wrong". Its programs
// are checked as TestCauses checks them; judge sees the findings of the first.
type trap struct {
	name  string
	spec  misbehave.Spec
	judge func(t *testing.T, x *player, found []diagnose.Finding)
}

func TestTraps(t *testing.T) {
	t.Parallel()
	in := ownSpace(t)
	if privilege.Held() {
		in = newSpace(t)
	}
	var specs []misbehave.Spec
	for _, trap := range traps() {
		if (trap.spec.PIDNS || trap.spec.UID != 0) && !privilege.Held() {
			trap.spec = misbehave.Spec{Kind: misbehave.FreshSocket} // its row skips below
		}
		specs = append(specs, trap.spec)
	}
	p := populate(t, in, specs)
	p.age(settled)
	for _, reader := range readers() {
		t.Run(reader, func(t *testing.T) {
			if reader == "bpf" {
				privilege.Need(t, "the bpf reader")
			}
			s := look(t, reader)
			for i, trap := range traps() {
				t.Run(trap.name, func(t *testing.T) {
					if trap.spec.PIDNS || trap.spec.UID != 0 {
						privilege.Need(t, trap.name)
					}
					x := p.players[i]
					x.here(t)
					check(t, s, x, in, grace)
					if trap.judge != nil && !t.Failed() {
						trap.judge(t, x, about(s, x, in, grace))
					}
				})
			}
		})
	}
}

func traps() []trap {
	return []trap{
		{"a TLS close_notify is a farewell", misbehave.Spec{Kind: misbehave.TLSPool, Count: 3}, hasAdvice("evict")},
		{"so are other last words", misbehave.Spec{Kind: misbehave.Farewell, Count: 3}, hasAdvice("evict")},
		{"a bounded pool is no alarm", misbehave.Spec{Kind: misbehave.BoundedPool}, isInfo},
		{"a slow answer is never certain", misbehave.Spec{Kind: misbehave.SlowAnswer, Count: 3}, isInfo},
		{"a relay in use", misbehave.Spec{Kind: misbehave.Relay, Count: 3}, nil},
		{"a relay in use that buffers", misbehave.Spec{Kind: misbehave.RelayBuffering, Count: 3}, nil},
		{"a relay that waits for both ends", misbehave.Spec{Kind: misbehave.RelayStuck, Count: 3}, nil},
		{"of two listeners on a port, one does not accept", misbehave.Spec{Kind: misbehave.ReusePort, Count: 4}, isAcceptQueue},
		{"a pid namespace", misbehave.Spec{Kind: misbehave.EOFUnread, PIDNS: true, Count: 3}, showsNSPID},
		{"a server whose clients left is no idle pool", misbehave.Spec{Kind: misbehave.EOFUnreadInbound, Count: 3}, hasAdvice("EPOLLRDHUP")},
		{"prefork workers are one owner", misbehave.Spec{Kind: misbehave.EOFIgnoredInbound, Workers: 4, Count: 8}, nil},
		{"a fork makes several owners of one socket", misbehave.Spec{Kind: misbehave.EOFUnread, Workers: 3, Shared: true, Count: 2}, isShared},
		{"another user's", misbehave.Spec{Kind: misbehave.DataUnread, UID: 65534, Count: 3}, belongsTo(65534)},
		{"keepalive makes forever young", misbehave.Spec{Kind: misbehave.SlowAnswer, KeepAlive: true, KeepIdle: time.Second, KeepIntvl: time.Second, Count: 3}, isForeverYoung},
		{"keepalive that has not begun", misbehave.Spec{Kind: misbehave.EOFUnread, KeepAlive: true, KeepIdle: time.Hour, Count: 3}, nil},
		{"dual-stack sockets speak IPv4", misbehave.Spec{Kind: misbehave.DataUnreadInbound, Mapped: true, Count: 3}, nil},
	}
}

// stuckOne is the one stuck finding of a trap.
func stuckOne(t *testing.T, found []diagnose.Finding, x *player) *diagnose.Finding {
	t.Helper()
	var at *diagnose.Finding
	for i := range found {
		f := &found[i]
		if f.Stuck && (f.Owner == nil || slices.Contains(x.PIDs(), f.Owner.PID)) {
			if at != nil {
				t.Errorf("two findings: %s and %s", at.Cause, f.Cause)
			}
			at = f
		}
	}
	if at == nil {
		t.Fatal("no stuck finding")
	}
	return at
}

func isInfo(t *testing.T, x *player, found []diagnose.Finding) {
	if f := stuckOne(t, found, x); f.Severity != diagnose.Info || f.GrowthPerHour != nil && *f.GrowthPerHour > 0 {
		t.Errorf("severity %s, growth %v: want info, and none", f.Severity, f.GrowthPerHour)
	}
}

func hasAdvice(word string) func(*testing.T, *player, []diagnose.Finding) {
	return func(t *testing.T, x *player, found []diagnose.Finding) {
		f := stuckOne(t, found, x)
		if !strings.Contains(f.Advice.Fix, word) {
			t.Errorf("the advice does not say %q: %s", word, f.Advice.Fix)
		}
	}
}

func isAcceptQueue(t *testing.T, x *player, found []diagnose.Finding) {
	f := stuckOne(t, found, x)
	e := f.Exhaustion
	if e == nil || e.Resource != diagnose.AcceptQueue || e.Used != f.Count || e.Limit < f.Count {
		t.Errorf("exhaustion is %+v, want an accept queue of %d", e, f.Count)
	}
	if f.Severity == diagnose.Info {
		t.Error("a listener that does not accept is only worth an info")
	}
}

func showsNSPID(t *testing.T, x *player, found []diagnose.Finding) {
	f := stuckOne(t, found, x)
	want := []diagnose.OwnerPID{{PID: x.PIDs()[0], NSPID: 1, Count: f.Count}}
	if !slices.Equal(f.Owner.PIDs, want) {
		t.Errorf("the owner's processes are %+v, want %+v", f.Owner.PIDs, want)
	}
}

func isShared(t *testing.T, x *player, found []diagnose.Finding) {
	f := stuckOne(t, found, x)
	if f.Owner.PID != x.PIDs()[0] || len(f.Owner.PIDs) != 3 {
		t.Errorf("the owner is %d of %v, want %d of %v", f.Owner.PID, f.Owner.PIDs, x.PIDs()[0], x.PIDs())
	}
	said := slices.ContainsFunc(f.Evidence, func(e diagnose.Evidence) bool { return strings.Contains(e.Fact, "more than one process") })
	if !said {
		t.Errorf("no evidence that several processes hold them: %v", f.Evidence)
	}
}

func belongsTo(uid uint32) func(*testing.T, *player, []diagnose.Finding) {
	return func(t *testing.T, x *player, found []diagnose.Finding) {
		if f := stuckOne(t, found, x); f.Owner.UID != uid {
			t.Errorf("the owner is uid %d, want %d", f.Owner.UID, uid)
		}
	}
}

// isForeverYoung: each answered probe moves the lower bound, so only the upper one
// tells that it is stuck.
func isForeverYoung(t *testing.T, x *player, found []diagnose.Finding) {
	f := stuckOne(t, found, x)
	switch {
	case f.Oldest.AtMostS == nil || *f.Oldest.AtMostS < grace.Seconds():
		t.Errorf("at most %v s old, want more than the grace period", f.Oldest.AtMostS)
	case f.Oldest.AtLeastS >= grace.Seconds():
		t.Errorf("at least %v s old: no probe was answered", f.Oldest.AtLeastS)
	case f.Confidence != diagnose.Likely || f.Outlook.Kind != diagnose.Never:
		t.Errorf("%s, ends %s: want likely and never, for the peer answers the probes", f.Confidence, f.Outlook.Kind)
	}
}

// handmade are the traps that need more than one program can be asked for. The
// sockets are this process's own, in a namespace where there is nothing else.
func TestHandmadeTraps(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name string
		make func(t *testing.T, in *space) (judge func(t *testing.T, in *space, s *observe.Snapshot))
	}{
		{"an unread answer of 424 kB is no farewell", longAnswer},
		{"one hang, two faces", twoFaces},
		{"IPv4 and mapped sockets to one service are one", bothFamilies},
		{"another program holds it too", inherited},
		{"both ends on one host", bothEnds},
		{"one port, two namespaces", sameFlows},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			in := newSpace(t)
			judge := row.make(t, in)
			time.Sleep(settled)
			for _, reader := range readers() {
				t.Run(reader, func(t *testing.T) { judge(t, in, look(t, reader)) })
			}
		})
	}
}

// inSpace are all findings of one namespace.
func inSpace(s *observe.Snapshot, in *space) []diagnose.Finding {
	return diagnose.Diagnose(nil, s, diagnose.Options{
		Grace: grace, Sockets: true, Filter: diagnose.Filter{NetNS: []string{strconv.FormatUint(in.id, 10)}},
	}).Findings
}

// findings compares what was found with "count cause direction local → remote",
// and ends the test if that differs.
func findings(t *testing.T, got []diagnose.Finding, want ...string) {
	t.Helper()
	var texts []string
	for i := range got {
		f := &got[i]
		checkForm(t, f)
		stuck := ""
		if f.Stuck {
			stuck = " stuck"
		}
		texts = append(texts, fmt.Sprintf("%d%s %s %s %s → %s", f.Count, stuck, f.Cause, f.Direction, f.Local, f.Remote))
	}
	slices.Sort(texts)
	slices.Sort(want)
	if !slices.Equal(texts, want) {
		t.Fatalf("found\n\t%q, want\n\t%q", texts, want)
	}
}

func longAnswer(t *testing.T, in *space) func(*testing.T, *space, *observe.Snapshot) {
	const answer = 424_000
	l := listen(t, in, "127.0.0.1", 8)
	service := l.local()
	c := open(t, in, true)
	c.set(unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20)
	if err := testbed.Uninterrupted(func() error { return unix.Connect(c.fd, testbed.Sockaddr(service)) }); err != nil {
		t.Fatal(err)
	}
	served := l.accept()
	served.set(unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 4<<20)
	c.send(100)
	served.receive(100)
	served.send(answer)
	served.close()
	c.await(uint8(tcp.CloseWait))
	return func(t *testing.T, in *space, s *observe.Snapshot) {
		found := inSpace(s, in)
		findings(t, found, fmt.Sprintf("1 stuck data-unread outbound * → %v", service),
			fmt.Sprintf("1 orphan-draining inbound :%d → *", service.Port()))
		if f := found[0]; f.Confidence != diagnose.Certain || f.Sockets[0].RecvQ != answer+1 {
			t.Errorf("%s with %d unread, want certain with %d", f.Confidence, f.Sockets[0].RecvQ, answer+1)
		}
	}
}

func twoFaces(t *testing.T, in *space) func(*testing.T, *space, *observe.Snapshot) {
	l := listen(t, in, "::", 8)
	service := netip.AddrPortFrom(netip.IPv6Loopback(), l.local().Port())
	for i := range 5 {
		c := l.dial(in, service)
		if i < 2 {
			l.accept() // and never reads it
		}
		c.send(100)
		c.close()
	}
	return func(t *testing.T, in *space, s *observe.Snapshot) {
		found := inSpace(s, in)
		findings(t, found,
			fmt.Sprintf("3 stuck never-accepted inbound :%d → *", service.Port()),
			fmt.Sprintf("2 stuck data-unread inbound :%d → *", service.Port()),
			fmt.Sprintf("5 orphan-draining outbound * → %v", service))
		lead := found[0]
		if lead.Cause != diagnose.NeverAccepted || lead.Owner == nil || lead.Owner.PID != os.Getpid() {
			t.Errorf("%s leads, of %+v: want the listener's, and this process", lead.Cause, lead.Owner)
		}
		if !slices.Contains(lead.Related, found[1].ID) || !slices.Contains(found[1].Related, lead.ID) {
			t.Errorf("the two are not related: %v and %v", lead.Related, found[1].Related)
		}
	}
}

func bothFamilies(t *testing.T, in *space) func(*testing.T, *space, *observe.Snapshot) {
	l := listen(t, in, "::", 8)
	plain := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), l.local().Port())
	mapped := netip.AddrPortFrom(netip.MustParseAddr("::ffff:127.0.0.1"), plain.Port())
	for _, to := range []netip.AddrPort{plain, mapped, plain, mapped} {
		c := l.dial(in, to)
		l.accept().close()
		c.await(uint8(tcp.CloseWait))
	}
	return func(t *testing.T, in *space, s *observe.Snapshot) {
		findings(t, inSpace(s, in), fmt.Sprintf("4 stuck eof-unread outbound * → %v", plain),
			fmt.Sprintf("4 orphan-draining inbound :%d → *", plain.Port()))
	}
}

// inherited: a program passed its socket on to one of another name.
func inherited(t *testing.T, in *space) func(*testing.T, *space, *observe.Snapshot) {
	sleep := privilege.Program(t, "sleep", "a socket that another program inherited")
	l := listen(t, in, "127.0.0.1", 8)
	service := l.local()
	c := l.dial(in, service)
	l.accept().close()
	c.await(uint8(tcp.CloseWait))
	child := exec.Command(sleep, "1000")
	copied, err := unix.FcntlInt(uintptr(c.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	child.ExtraFiles = []*os.File{os.NewFile(uintptr(copied), "a socket")}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	_ = child.ExtraFiles[0].Close()
	t.Cleanup(func() { _ = child.Process.Kill(); _ = child.Wait() })
	return func(t *testing.T, in *space, s *observe.Snapshot) {
		found := inSpace(s, in)
		findings(t, found, fmt.Sprintf("1 stuck eof-unread outbound * → %v", service),
			fmt.Sprintf("1 orphan-draining inbound :%d → *", service.Port()))
		f := found[0]
		if f.Owner == nil || f.Owner.PID != os.Getpid() || !slices.Equal(f.AlsoHeldBy, []int{child.Process.Pid}) {
			t.Errorf("owner %+v, also held by %v: want %d and %d", f.Owner, f.AlsoHeldBy, os.Getpid(), child.Process.Pid)
		}
		want := []observe.Holder{{PID: int32(os.Getpid()), FD: int32(c.fd)}, {PID: int32(child.Process.Pid), FD: 3}}
		got := slices.SortedFunc(slices.Values(f.Sockets[0].FDs), func(a, b observe.Holder) int {
			return slices.Index(want, a) - slices.Index(want, b)
		})
		if !slices.Equal(got, want) {
			t.Errorf("descriptors %v, want %v", got, want)
		}
	}
}

// bothEnds: the server half-closed and waits; the client, here too, has the bug.
func bothEnds(t *testing.T, in *space) func(*testing.T, *space, *observe.Snapshot) {
	l := listen(t, in, "127.0.0.1", 8)
	service := l.local()
	c := l.dial(in, service)
	l.accept().shutdown()
	c.await(uint8(tcp.CloseWait))
	return func(t *testing.T, in *space, s *observe.Snapshot) {
		found := inSpace(s, in)
		findings(t, found, fmt.Sprintf("1 stuck eof-unread outbound * → %v", service),
			fmt.Sprintf("1 stuck peer-keeps-open inbound :%d → *", service.Port()))
		for i := range found {
			if !slices.Equal(found[i].Related, []string{found[1-i].ID}) {
				t.Errorf("%s is related to %v, want the other end", found[i].Cause, found[i].Related)
			}
		}
	}
}

// sameFlows: the same addresses and ports may be in use in many namespaces, each
// with a loopback of its own. What the one's peer does says nothing of the other's.
func sameFlows(t *testing.T, in *space) func(*testing.T, *space, *observe.Snapshot) {
	other := newSpace(t)
	ends := [2]netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:4001"), netip.MustParseAddrPort("127.0.0.1:40001")}
	held := twins(t, in, ends)
	gone := twins(t, other, ends)
	held.shutdown() // and keeps the socket
	gone.close()
	return func(t *testing.T, in *space, s *observe.Snapshot) {
		for _, row := range []struct {
			in    *space
			other string
			ends  diagnose.Ending
		}{{in, "1 stuck peer-keeps-open inbound :4001 → *", diagnose.Never}, {other, "1 orphan-draining inbound :4001 → *", diagnose.OnWrite}} {
			found := inSpace(s, row.in)
			findings(t, found, "1 stuck eof-unread outbound * → 127.0.0.1:4001", row.other)
			for _, f := range found {
				if f.Cause == diagnose.EOFUnread && f.Outlook.Kind != row.ends {
					t.Errorf("beside %q it ends %s (%s), want %s", row.other, f.Outlook.Kind, f.Outlook.Why, row.ends)
				}
			}
		}
	}
}

// twins opens the connection ends[1] → ends[0] and returns the server's socket.
func twins(t *testing.T, in *space, ends [2]netip.AddrPort) *socket {
	t.Helper()
	l, c := open(t, in, true), open(t, in, true)
	l.set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	err := errors.Join(unix.Bind(l.fd, testbed.Sockaddr(ends[0])), unix.Listen(l.fd, 8), unix.Bind(c.fd, testbed.Sockaddr(ends[1])), testbed.Uninterrupted(func() error { return unix.Connect(c.fd, testbed.Sockaddr(ends[0])) }))
	if err != nil {
		t.Fatal(err)
	}
	return l.accept()
}
