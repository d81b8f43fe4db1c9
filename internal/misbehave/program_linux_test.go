package misbehave_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/testbed"
	"github.com/closewait/closewait/tcp"
)

func TestWorkersShareTheWork(t *testing.T) {
	for _, kind := range []misbehave.Kind{misbehave.EOFUnread, misbehave.EOFIgnoredInbound} {
		t.Run(string(kind), func(t *testing.T) {
			p := start(t, misbehave.Spec{Kind: kind, Count: 7, Workers: 3})
			each := map[int]int{}
			for _, c := range p.Culprits() {
				each[c.PID]++
				checkHolder(t, c)
			}
			counts := []int{}
			for _, pid := range p.PIDs() {
				counts = append(counts, each[pid])
			}
			if !slices.Equal(counts, []int{3, 2, 2}) {
				t.Errorf("the workers %v hold %v, want 3, 2 and 2", p.PIDs(), each)
			}
			for _, l := range p.Listeners() {
				checkHolder(t, l)
				if kind == misbehave.EOFIgnoredInbound && len(l.AlsoHeldBy) != 2 {
					t.Errorf("the listener is also held by %v, want 2 more", l.AlsoHeldBy)
				}
			}
			checkStop(t, p, os.Getpid())
		})
	}
}

func TestSharedConnectionsOutliveOneOwnersClose(t *testing.T) {
	p := start(t, misbehave.Spec{Kind: misbehave.EOFUnread, Count: 4, Workers: 3, Shared: true})
	if len(p.PIDs()) != 3 {
		t.Fatalf("culprits are %v, want three", p.PIDs())
	}
	for _, c := range p.Culprits() {
		if len(c.AlsoHeldBy) != 2 {
			t.Errorf("%v → %v is also held by %v, want two more", c.Local, c.Remote, c.AlsoHeldBy)
		}
		checkHolder(t, c)
	}
	// "After fork one socket has several owners; a close in one sends no FIN."
	if err := p.CloseAll(); err != nil {
		t.Fatal(err)
	}
	culprits := p.Culprits()
	if len(culprits) != 4 {
		t.Errorf("%d are left after the first owner closed, want 4", len(culprits))
	}
	for _, c := range culprits {
		if c.PID == p.PIDs()[0] || len(c.AlsoHeldBy) != 1 {
			t.Errorf("after the close %v is held by %d and %v", c.Local, c.PID, c.AlsoHeldBy)
		}
		checkTable(t, os.Getpid(), c)
		checkHolder(t, c)
	}
	checkStop(t, p, os.Getpid())
}

// TestAWriteIsMasked: C8: "data sent by local draws a RST … and the RST ends the
// local connection", not the leak.
func TestAWriteIsMasked(t *testing.T) {
	for _, kind := range []misbehave.Kind{misbehave.EOFUnread, misbehave.EOFIgnored} {
		p := start(t, misbehave.Spec{Kind: kind, Count: 3})
		if err := p.Write(10); err != nil {
			t.Fatal(err)
		}
		if len(p.Record()) != 3 {
			t.Errorf("%s: the record has %d entries after the write, want the 3 culprits", kind, len(p.Record()))
		}
		for _, c := range p.Record() {
			if c.Cause != "masked" || c.State != tcp.Closed || c.FD < 0 {
				t.Errorf("%s: after the write %+v, want it masked", kind, c)
			}
			checkTable(t, os.Getpid(), c)
			checkHolder(t, c)
		}
	}
}

func TestAWriteToAHalfClosedPeerIsNot(t *testing.T) {
	p := start(t, misbehave.Spec{Kind: misbehave.SlowAnswer, Count: 2})
	if err := p.Write(10); err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Culprits() {
		if l := table(t, os.Getpid())[tcp.Flow{Local: c.Local, Remote: c.Remote}]; l.state != tcp.CloseWait {
			t.Errorf("%v → %v is in %v, want CLOSE_WAIT: the peer may still read (C5)", c.Local, c.Remote, l.state)
		}
	}
}

func TestReadingMakesUnreadIgnored(t *testing.T) {
	for _, kind := range []misbehave.Kind{misbehave.EOFUnread, misbehave.DataUnread, misbehave.Farewell} {
		p := start(t, misbehave.Spec{Kind: kind, Idle: time.Millisecond})
		if err := p.ReadAll(); err != nil {
			t.Fatal(err)
		}
		for _, c := range p.Culprits() {
			if c.Cause != "eof-ignored" || c.RecvQ != 0 {
				t.Errorf("%s: after reading all it is %+v", kind, c)
			}
			checkTable(t, os.Getpid(), c)
		}
	}
	p := start(t, misbehave.Spec{Kind: misbehave.PeerKeepsOpen})
	if err := p.ReadAll(); err == nil || !strings.Contains(err.Error(), "FIN_WAIT_2") {
		t.Errorf("reading to an end that has not come: %v", err)
	}
}

func TestClosingCures(t *testing.T) {
	p := start(t, misbehave.Spec{Kind: misbehave.Relay, Count: 2})
	before := p.Record()
	if err := errors.Join(p.CloseAll(), p.PeerClose()); err != nil {
		t.Fatal(err)
	}
	if left := p.Record(); len(left) != 0 {
		t.Errorf("the record still has %v", left)
	}
	eventually(t, func() string {
		now := table(t, os.Getpid())
		for _, c := range before {
			if l, ok := now[tcp.Flow{Local: c.Local, Remote: c.Remote}]; ok && l.inode != 0 {
				return fmt.Sprintf("%v → %v is still in %v", c.Local, c.Remote, l.state)
			}
		}
		return ""
	})
}

func TestALeakGrows(t *testing.T) {
	p := start(t, misbehave.Spec{Kind: misbehave.EOFUnread, Count: 2, Workers: 2, Growth: time.Millisecond, Max: 7})
	eventually(t, func() string {
		if n := len(p.Culprits()); n != 7 {
			return fmt.Sprintf("%d connections, want 7", n)
		}
		return ""
	})
	if err := p.More(3); err != nil {
		t.Fatal(err)
	}
	if n := len(p.Culprits()); n != 10 {
		t.Errorf("%d connections after three more, want 10", n)
	}
	if p.Err() != nil {
		t.Error(p.Err())
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if err := p.More(1); err == nil {
		t.Error("a stopped program grows")
	}
}

func TestTitleAndLimitShow(t *testing.T) {
	p := start(t, misbehave.Spec{Kind: misbehave.EOFUnread, Title: "(demo:eof-unread)", NoFile: 321, Workers: 2, Shared: true})
	for _, pid := range p.PIDs() {
		if got := read(t, pid, "cmdline"); got != "(demo:eof-unread)\x00" {
			t.Errorf("process %d is called %q", pid, got)
		}
		if own := read(t, os.Getpid(), "comm"); read(t, pid, "comm") != own {
			t.Errorf("process %d has comm %q, want %q", pid, read(t, pid, "comm"), own)
		}
	}
	if limits := read(t, p.PIDs()[0], "limits"); !strings.Contains(strings.Join(strings.Fields(limits), " "), "Max open files 321 ") {
		t.Errorf("want 321 open files in\n%s", limits)
	}
}

func read(t *testing.T, pid int, name string) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestMappedSocketsSpeakIPv4(t *testing.T) {
	for _, kind := range []misbehave.Kind{misbehave.EOFUnread, misbehave.EOFUnreadInbound, misbehave.NeverAccepted, misbehave.Relay} {
		p := start(t, misbehave.Spec{Kind: kind, Mapped: true, Count: 2})
		for _, c := range p.Culprits() {
			if !c.Local.Addr().Is4In6() || !c.Remote.Addr().Is4In6() {
				t.Errorf("%s: %v → %v is not mapped", kind, c.Local, c.Remote)
			}
			checkTable(t, os.Getpid(), c)
		}
	}
}

func TestAddressesAreChosen(t *testing.T) {
	const port = 61873 // above the ephemeral range
	for _, kind := range []misbehave.Kind{misbehave.EOFUnread, misbehave.EOFUnreadInbound} {
		p := start(t, misbehave.Spec{Kind: kind, Host: "127.0.0.7", Port: port})
		if got := p.Service().String(); got != "127.0.0.7:61873" {
			t.Errorf("%s: the service is at %s", kind, got)
		}
		c := p.Culprits()[0]
		if service := map[bool]string{true: c.Local.String(), false: c.Remote.String()}[c.Inbound]; service != "127.0.0.7:61873" {
			t.Errorf("%s: %+v does not use it", kind, c)
		}
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestKeepAliveShowsItsTimer(t *testing.T) {
	p := start(t, misbehave.Spec{Kind: misbehave.EOFUnread, KeepAlive: true, KeepIdle: 30 * time.Second, KeepIntvl: 5 * time.Second, KeepCnt: 4})
	if c := p.Culprits()[0]; c.Timer != 2 {
		t.Errorf("timer %d, want 2 (keepalive)", c.Timer)
	}
}

func TestAnotherUser(t *testing.T) {
	privilege.Need(t, "culprits of another user")
	const nobody = 65534
	for _, s := range []misbehave.Spec{
		{Kind: misbehave.EOFUnread, Workers: 2, Shared: true, UID: nobody},
		{Kind: misbehave.Churn, UID: nobody},
	} {
		p := start(t, s)
		for _, pid := range p.PIDs() {
			var stat syscall.Stat_t
			if err := syscall.Stat(fmt.Sprintf("/proc/%d/fd", pid), &stat); err != nil || stat.Uid != nobody {
				t.Errorf("%s: /proc/%d/fd is of uid %d (%v), want %d: that user could not see his own descriptors", s.Kind, pid, stat.Uid, err, nobody)
			}
		}
	}
}

func TestAPidNamespace(t *testing.T) {
	privilege.Need(t, "culprits in a pid namespace")
	p := start(t, misbehave.Spec{Kind: misbehave.EOFIgnored, PIDNS: true, Count: 2})
	pid := p.PIDs()[0]
	if status := read(t, pid, "status"); !strings.Contains(status, fmt.Sprintf("NSpid:\t%d\t1\n", pid)) {
		t.Errorf("process %d is not the first of a namespace:\n%s", pid, status)
	}
	for _, c := range p.Culprits() {
		checkHolder(t, c)
	}
	checkStop(t, p, os.Getpid())
}

func TestTheQueueOfTheCulpritAloneFills(t *testing.T) {
	p := start(t, misbehave.Spec{Kind: misbehave.ReusePort, Count: 5})
	listeners := p.Listeners()
	if len(listeners) != 2 || listeners[0].Local != listeners[1].Local || listeners[0].PID != p.PIDs()[0] || listeners[1].PID == p.PIDs()[0] {
		t.Fatalf("listeners %+v, want two at one address in two processes", listeners)
	}
	// /proc lists two listeners under one key; the queues are the culprit's rows.
	if n := len(p.Culprits()); n != 5 {
		t.Errorf("%d wait, want 5", n)
	}
	for _, c := range p.Culprits() {
		if c.PID != p.PIDs()[0] {
			t.Errorf("%v → %v waits for process %d, want %d", c.Local, c.Remote, c.PID, p.PIDs()[0])
		}
	}
}

func TestAQueueThatIsTooShort(t *testing.T) {
	_, err := misbehave.Start(t.Context(), misbehave.Spec{Kind: misbehave.NeverAccepted, Count: 10, Backlog: 3})
	if err == nil || !strings.Contains(err.Error(), "do not fit the listener's queue") {
		t.Errorf("ten connections in a queue of three: %v", err)
	}
	start(t, misbehave.Spec{Kind: misbehave.NeverAccepted, Count: 4, Backlog: 3}) // the kernel lets in one more
}

func TestChurnNeverRests(t *testing.T) {
	p := start(t, misbehave.Spec{Kind: misbehave.Churn})
	seen := map[string]bool{}
	eventually(t, func() string {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.PIDs()[0]))
		if err != nil {
			return err.Error()
		}
		for _, name := range tasks {
			children, _ := os.ReadFile(name) // threads come and go
			for _, pid := range strings.Fields(string(children)) {
				seen[pid] = true
			}
		}
		if len(seen) < 20 {
			return fmt.Sprintf("saw %d children, want 20", len(seen))
		}
		return ""
	})
	checkStop(t, p, os.Getpid())
}

func TestWrongSpecsAreRefused(t *testing.T) {
	for _, s := range []misbehave.Spec{
		{Kind: "sloppy"}, {},
		{Kind: misbehave.EOFUnread, Count: -1},
		{Kind: misbehave.EOFUnread, Count: 50, NoFile: 40},
		{Kind: misbehave.EOFUnread, Mapped: true, IPv6: true},
		{Kind: misbehave.EOFUnread, Host: "localhost"},
		{Kind: misbehave.EOFUnread, Host: "::1"},
		{Kind: misbehave.EOFUnread, Host: "127.0.0.1", IPv6: true},
		{Kind: misbehave.EOFUnread, Shared: true, PIDNS: true},
		{Kind: misbehave.EOFUnread, Shared: true, Growth: time.Second},
		{Kind: misbehave.NeverAccepted, Shared: true},
		{Kind: misbehave.EOFUnread, NetNS: "/nowhere"},
	} {
		if p, err := misbehave.Start(t.Context(), s); err == nil {
			t.Errorf("%+v starts", s)
			_ = p.Stop()
		}
	}
}

func TestACanceledStartLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	// It would idle for an hour.
	p, err := misbehave.Start(ctx, misbehave.Spec{Kind: misbehave.Farewell, Idle: time.Hour, Title: "(misbehave:canceled)"})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("start gave %v, want the context's error", err)
	}
	if p != nil {
		_ = p.Stop()
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v to give up", took)
	}
	if pids := called(t, "(misbehave:canceled)"); len(pids) > 0 {
		t.Errorf("processes %v are left", pids)
	}
}

func TestStartingAndStoppingLeaksNothing(t *testing.T) {
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(fds)
	}
	once := func() {
		p, err := misbehave.Start(t.Context(), misbehave.Spec{Kind: misbehave.EOFIgnoredInbound, Workers: 2, Count: 2})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	}
	once() // the first run may open what stays
	fds, routines := count(), runtime.NumGoroutine()
	for range 3 {
		once()
	}
	if _, err := misbehave.Start(t.Context(), misbehave.Spec{Kind: misbehave.NeverAccepted, Count: 3, Backlog: 1}); err == nil {
		t.Error("three connections fit a queue of one")
	}
	eventually(t, func() string {
		if now := count(); now > fds {
			return fmt.Sprintf("%d descriptors are open, %d were", now, fds)
		}
		if now := runtime.NumGoroutine(); now > routines {
			return fmt.Sprintf("%d goroutines run, %d did", now, routines)
		}
		return ""
	})
}

// called finds processes by their title.
func called(t *testing.T, title string) (pids []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if b, err := os.ReadFile("/proc/" + e.Name() + "/cmdline"); err == nil && strings.HasPrefix(string(b), title+"\x00") {
			pids = append(pids, e.Name())
		}
	}
	return pids
}

// hang is a part: it starts a program, prints its pids, and hangs.
func hang([]string) error {
	p, err := misbehave.Start(context.Background(), misbehave.Spec{Kind: misbehave.EOFUnread, Count: 2, Workers: 3, Shared: true})
	if err != nil {
		return err
	}
	fmt.Println(strings.Trim(fmt.Sprint(append(p.PIDs(), p.PeerPID())), "[]"))
	time.Sleep(time.Hour)
	return nil
}

func TestAProgramEndsWithItsStarter(t *testing.T) {
	starter := testbed.Start(t, "hang")
	line := starter.Line()
	starter.Kill()
	pids := strings.Fields(line)
	if len(pids) != 4 {
		t.Fatalf("it printed %q, want four pids", line)
	}
	for _, pid := range pids {
		eventually(t, func() string { return alive(pid) })
	}
}

// alive says so of a process that is neither gone nor waits for its parent.
func alive(pid string) string {
	if _, err := strconv.Atoi(pid); err != nil {
		return err.Error()
	}
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return ""
	}
	if _, rest, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(rest, "Z") {
		return ""
	}
	return "process " + pid + " is alive"
}
