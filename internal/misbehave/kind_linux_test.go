package misbehave_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/tcp"
)

// want is what a kind's culprits must show, from causes.md; the zero row is a
// kind of which nothing is to be said.
type want struct {
	cause string
	state tcp.State
	recvQ uint32 // 0 is checked, too
	sendQ bool   // something waits to be sent or ACKed
	timer uint8
	held  bool
}

var wants = map[misbehave.Kind]want{
	misbehave.NeverAccepted:     {"never-accepted", tcp.CloseWait, 1, false, 0, false},
	misbehave.NeverAcceptedData: {"never-accepted", tcp.CloseWait, 121, false, 0, false},
	misbehave.ReusePort:         {"never-accepted", tcp.CloseWait, 1, false, 0, false},

	misbehave.DataUnread:        {"data-unread", tcp.CloseWait, 100_001, false, 0, true},
	misbehave.DataUnreadPartial: {"data-unread", tcp.CloseWait, 90_001, false, 0, true},
	misbehave.DataUnreadInbound: {"data-unread", tcp.CloseWait, 121, false, 0, true},

	misbehave.EOFUnread:        {"eof-unread", tcp.CloseWait, 1, false, 0, true},
	misbehave.EOFUnreadInbound: {"eof-unread", tcp.CloseWait, 1, false, 0, true},
	misbehave.EOFPeeked:        {"eof-unread", tcp.CloseWait, 1, false, 0, true},
	misbehave.Farewell:         {"eof-unread", tcp.CloseWait, 32, false, 0, true},
	misbehave.TLSPool:          {"eof-unread", tcp.CloseWait, 25, false, 0, true},
	misbehave.BoundedPool:      {"eof-unread", tcp.CloseWait, 1, false, 0, true},
	misbehave.EOFUnreadMPTCP:   {"eof-unread", tcp.CloseWait, 0, false, 0, true},

	misbehave.EOFIgnored:        {"eof-ignored", tcp.CloseWait, 0, false, 0, true},
	misbehave.EOFIgnoredInbound: {"eof-ignored", tcp.CloseWait, 0, false, 0, true},
	misbehave.EOFCoalesced:      {"eof-ignored", tcp.CloseWait, 0, false, 0, true},
	misbehave.AnsweredThenKept:  {"eof-ignored", tcp.CloseWait, 0, false, 0, true},
	misbehave.SlowAnswer:        {"eof-ignored", tcp.CloseWait, 0, false, 0, true},
	misbehave.RelayStuck:        {"eof-ignored", tcp.CloseWait, 0, false, 0, true},
	misbehave.EOFIgnoredMPTCP:   {"eof-ignored", tcp.CloseWait, 0, false, 0, true},

	misbehave.HalfCloseInUse: {"half-close-in-use", tcp.CloseWait, 0, false, 0, true},
	misbehave.Relay:          {"half-close-in-use", tcp.CloseWait, 0, false, 0, true},
	misbehave.RelayBuffering: {"half-close-in-use", tcp.CloseWait, 0, false, 0, true},

	misbehave.SendBlocked:               {"send-blocked", tcp.CloseWait, 0, true, 4, true},
	misbehave.SendBlockedRetransmit:     {"send-blocked", tcp.CloseWait, 0, true, 1, true},
	misbehave.SendBlockedFinWait1:       {"send-blocked", tcp.FinWait1, 0, true, 4, true},
	misbehave.SendBlockedFinWait1Orphan: {"send-blocked", tcp.FinWait1, 0, true, 4, false},
	misbehave.SendBlockedClosing:        {"send-blocked", tcp.Closing, 1, true, 4, true},
	misbehave.SendBlockedLastAck:        {"send-blocked", tcp.LastAck, 0, true, 4, true},
	misbehave.SendBlockedLastAckOrphan:  {"send-blocked", tcp.LastAck, 0, true, 4, false},

	misbehave.Ownerless: {"ownerless", tcp.CloseWait, 1, false, 0, false},

	misbehave.MaskedWrite:     {"masked", tcp.Closed, 0, false, 0, true},
	misbehave.MaskedKeepAlive: {"masked", tcp.Closed, 0, false, 0, true},
	misbehave.MaskedLinger:    {"masked", tcp.Closed, 0, false, 0, true},
	misbehave.MaskedReset:     {"masked", tcp.Closed, 0, false, 0, true},
	misbehave.MaskedUnheard:   {"masked", tcp.Closed, 0, false, 0, true},

	misbehave.PeerKeepsOpen:      {"peer-keeps-open", tcp.FinWait2, 0, false, 0, true},
	misbehave.OrphanDraining:     {"orphan-draining", tcp.FinWait2, 0, false, 3, false},
	misbehave.OrphanDrainingLong: {"orphan-draining", tcp.FinWait2, 0, false, 2, false},

	misbehave.FinUnacked:              {"fin-unacked", tcp.FinWait1, 0, true, 1, true},
	misbehave.FinUnackedOrphan:        {"fin-unacked", tcp.FinWait1, 0, true, 1, false},
	misbehave.FinUnackedClosing:       {"fin-unacked", tcp.Closing, 1, true, 1, true},
	misbehave.FinUnackedLastAck:       {"fin-unacked", tcp.LastAck, 0, true, 1, true},
	misbehave.FinUnackedLastAckOrphan: {"fin-unacked", tcp.LastAck, 0, true, 1, false},

	misbehave.FreshSocket:     {"", tcp.Closed, 0, false, 0, true},
	misbehave.ConnectRefused:  {"", tcp.Closed, 0, false, 0, true},
	misbehave.RefusedUnasked:  {"", tcp.Closed, 0, false, 0, true},
	misbehave.ExchangeAndIdle: {"", tcp.Established, 0, false, 0, true},
	misbehave.Churn:           {},
}

// start starts a program that ends with the test, whatever becomes of that.
func start(t *testing.T, s misbehave.Spec) *misbehave.Program {
	t.Helper()
	p, err := misbehave.Start(t.Context(), s)
	if errors.Is(err, misbehave.ErrUnsupported) {
		privilege.Unsupported(t, string(s.Kind), err)
	}
	if errors.Is(err, misbehave.ErrPrivilege) && s.Kind.Privileged() {
		privilege.Refused(t, string(s.Kind), err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestEveryKindShowsItsCause(t *testing.T) {
	for _, kind := range misbehave.Kinds() {
		if kind.About() == "" {
			t.Errorf("%s says nothing of itself", kind)
		}
		for _, v6 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%s", kind, family(v6)), func(t *testing.T) {
				t.Parallel() // some kinds wait for seconds
				checkKind(t, misbehave.Spec{Kind: kind, Count: 3, IPv6: v6})
			})
		}
	}
}

func family(v6 bool) string {
	if v6 {
		return "IPv6"
	}
	return "IPv4"
}

func TestEveryKindInANamespaceOfItsOwn(t *testing.T) {
	privilege.Need(t, "misbehaving programs in another network namespace")
	path := namespace(t)
	for _, kind := range misbehave.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			checkKind(t, misbehave.Spec{Kind: kind, Count: 2, NetNS: path})
		})
	}
}

// namespace makes a network namespace with its loopback up, for one test.
func namespace(t *testing.T) string {
	t.Helper()
	ip := privilege.Program(t, "ip", "misbehaving programs in another network namespace")
	name := fmt.Sprintf("cw-misbehave-%d", os.Getpid())
	for _, args := range [][]string{{"netns", "add", name}, {"-n", name, "link", "set", "lo", "up"}} {
		if out, err := exec.Command(ip, args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, out)
		}
	}
	t.Cleanup(func() { _ = exec.Command(ip, "netns", "delete", name).Run() })
	return "/run/netns/" + name
}

// checkKind starts a program, holds its record against the table above and
// against the kernel's own list, stops it, and sees that nothing is left.
func checkKind(t *testing.T, s misbehave.Spec) {
	t.Helper()
	p := start(t, s)
	witness := witness(t, s)
	w := wants[s.Kind]
	culprits := p.Culprits()
	if w != (want{}) {
		wanted := s.Count
		for _, c := range culprits {
			if c.Leg != "main" {
				continue
			}
			wanted--
			compare(t, w, c)
		}
		if wanted != 0 {
			t.Errorf("the record lacks %d of %d culprits: %+v", wanted, s.Count, culprits)
		}
	}
	for _, c := range p.Record() {
		checkTable(t, witness, c)
		checkHolder(t, c)
	}
	checkStop(t, p, witness)
}

func compare(t *testing.T, w want, c misbehave.Conn) {
	t.Helper()
	got := want{c.Cause, c.State, c.RecvQ, c.SendQ > 0, c.Timer, c.FD >= 0}
	if c.Cause == "half-close-in-use" { // data may be on its way
		got.sendQ, got.timer = w.sendQ, w.timer
	}
	if w.timer == 0 && c.Timer == 1 { // a tail loss probe, armed for what was just sent
		got.timer = 0
	}
	if got != w {
		t.Errorf("%v → %v is %+v, want %+v", c.Local, c.Remote, got, w)
	}
}

// witness is a process that lives in the program's namespace and outlives it.
func witness(t *testing.T, s misbehave.Spec) int {
	t.Helper()
	if s.NetNS == "" {
		return os.Getpid()
	}
	return start(t, misbehave.Spec{Kind: misbehave.FreshSocket, NetNS: s.NetNS}).PeerPID()
}

// checkTable holds one entry of the record against /proc/net/tcp.
func checkTable(t *testing.T, pid int, c misbehave.Conn) {
	t.Helper()
	if c.MPTCP {
		return // /proc shows its subflows, not it
	}
	l, listed := table(t, pid)[tcp.Flow{Local: c.Local, Remote: c.Remote}]
	if c.State == tcp.Closed {
		if listed && c.Remote.IsValid() {
			t.Errorf("%v → %v is listed as %v, want it gone", c.Local, c.Remote, l.state)
		}
		return
	}
	if !listed {
		if c.Cause == "orphan-draining" && !c.Culprit {
			return // dropped since: too many mini-sockets
		}
		t.Errorf("%v → %v (%v) is not listed", c.Local, c.Remote, c.State)
		return
	}
	if l.state != c.State || l.inode != c.Inode {
		t.Errorf("%v → %v: the kernel lists %v with inode %d, the record says %v with %d", c.Local, c.Remote, l.state, l.inode, c.State, c.Inode)
	}
	flows := c.Cause == "half-close-in-use" || c.State == tcp.Established
	if !flows && (l.recvQ != uint64(c.RecvQ) || l.sendQ != uint64(c.SendQ)) {
		t.Errorf("%v → %v: the kernel lists queues %d and %d, the record says %d and %d", c.Local, c.Remote, l.recvQ, l.sendQ, c.RecvQ, c.SendQ)
	}
}

// checkHolder sees that the descriptor leads to the socket, in each process.
func checkHolder(t *testing.T, c misbehave.Conn) {
	t.Helper()
	if c.FD < 0 {
		if c.PID != 0 && c.Cause != "never-accepted" {
			t.Errorf("%v → %v has process %d but no descriptor", c.Local, c.Remote, c.PID)
		}
		return
	}
	for _, h := range append(slices.Clone(c.AlsoHeldBy), misbehave.Holder{PID: c.PID, FD: c.FD}) {
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", h.PID, h.FD))
		if want := fmt.Sprintf("socket:[%d]", c.Inode); err != nil || link != want {
			t.Errorf("process %d descriptor %d is %q (%v), want %q", h.PID, h.FD, link, err, want)
		}
	}
}

// checkStop stops the program and looks for what it may have left.
func checkStop(t *testing.T, p *misbehave.Program, witness int) {
	t.Helper()
	record, pids, service := p.Record(), append(p.PIDs(), p.PeerPID()), p.Service()
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("stopping again: %v", err)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			t.Errorf("process %d is still there (%v)", pid, err)
		}
	}
	left := func() (found []string) {
		now := table(t, witness)
		for _, c := range record {
			l, listed := now[tcp.Flow{Local: c.Local, Remote: c.Remote}]
			if listed && l.state != tcp.TimeWait && c.Remote.IsValid() {
				found = append(found, fmt.Sprintf("%v → %v in %v", c.Local, c.Remote, l.state))
			}
		}
		for flow, l := range now {
			if l.state == tcp.Listen && service.IsValid() && flow.Unmapped().Local == service {
				found = append(found, fmt.Sprintf("a listener at %v", service))
			}
		}
		return found
	}
	eventually(t, func() string { return strings.Join(left(), ", ") })
}

// eventually waits until wrong says "".
func eventually(t *testing.T, wrong func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		what := wrong()
		if what == "" {
			return
		}
		if ctx.Err() != nil {
			t.Error(what)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}
