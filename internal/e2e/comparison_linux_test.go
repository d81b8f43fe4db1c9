package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// reporter is what a check needs of a test.
type reporter interface {
	Helper()
	Error(args ...any)
	Errorf(format string, args ...any)
}

// check holds what a diagnosis says of one program against its record, both ways.
func check(t reporter, s *observe.Snapshot, x *player, in *space, grace time.Duration) {
	t.Helper()
	findings := about(s, x, in, grace)
	want := expect(x, conditionsOf(s))
	seen := map[sign]bool{}
	for i := range findings {
		f := &findings[i]
		checkForm(t, f)
		got := signed(f, x)
		if seen[got] {
			t.Errorf("two findings: %v", got)
		}
		seen[got] = true
		b := want[got]
		if b == nil {
			t.Errorf("reported, and not so: %v (%d sockets)%s", got, f.Count, quote(f))
			continue
		}
		checkBody(t, got, b, f)
	}
	for _, missed := range slices.SortedFunc(maps.Keys(want), func(a, b sign) int { return compareText(a.String(), b.String()) }) {
		if !seen[missed] {
			t.Errorf("not reported: %v (%d sockets)", missed, want[missed].count)
		}
	}
	checkSockets(t, s, findings, x)
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// about are the findings that touch a program: by its ports, and by the processes
// (a dead connection has lost its ports).
func about(s *observe.Snapshot, x *player, in *space, grace time.Duration) []diagnose.Finding {
	here := []string{strconv.FormatUint(in.id, 10)}
	o := diagnose.Options{Grace: grace, Sockets: true, Filter: diagnose.Filter{NetNS: here}}
	o.Filter.PIDs = append(x.PIDs(), x.PeerPID())
	findings := diagnose.Diagnose(nil, s, o).Findings
	if ports := x.ports(); len(ports) > 0 {
		o.Filter = diagnose.Filter{NetNS: here, Ports: ports}
		for _, f := range diagnose.Diagnose(nil, s, o).Findings {
			same := func(g diagnose.Finding) bool { return g.ID == f.ID }
			if !slices.ContainsFunc(findings, same) && (in.file != nil || !strange(&f, x)) {
				findings = append(findings, f)
			}
		}
	}
	return findings
}

// strange reports whether a finding is of somebody else, who by chance has one of
// the player's port numbers at another address: in the own namespace other tests
// run at the same time.
func strange(f *diagnose.Finding, x *player) bool {
	if f.Owner == nil {
		return false
	}
	ours := append(x.PIDs(), x.PeerPID())
	if slices.ContainsFunc(f.Owner.PIDs, func(p diagnose.OwnerPID) bool { return slices.Contains(ours, p.PID) }) {
		return false
	}
	for _, c := range x.record() {
		if slices.ContainsFunc(f.Sockets, func(d diagnose.SocketDetail) bool { return matches(&c, &d) }) {
			return false
		}
	}
	return true
}

// signed reads off a finding what tells it from others.
func signed(f *diagnose.Finding, x *player) sign {
	got := sign{cause: f.Cause, stuck: f.Stuck, state: f.State, direction: f.Direction, local: f.Local, remote: f.Remote, side: nobody}
	for _, d := range f.Sockets {
		for _, c := range x.record() {
			got.mptcp = got.mptcp || c.MPTCP && matches(&c, &d)
		}
	}
	if f.Owner == nil {
		return got
	}
	got.side = others
	switch {
	case slices.Contains(x.PIDs(), f.Owner.PID):
		got.side = culprits
	case f.Owner.PID == x.PeerPID():
		got.side = peers
	}
	return got
}

// checkForm is what every finding must have.
func checkForm(t reporter, f *diagnose.Finding) {
	t.Helper()
	sum := 0
	for _, n := range f.Outlooks {
		sum += n
	}
	switch {
	case f.Count != len(f.Sockets) || f.Count != sum:
		t.Errorf("%s counts %d sockets, lists %d and has outlooks for %d", f.Cause, f.Count, len(f.Sockets), sum)
	case len(f.Evidence) == 0 || f.Advice.Meaning == "" || f.Advice.Fix == "" || f.Outlook.Why == "":
		t.Errorf("%s lacks evidence, advice or why it ends: %+v", f.Cause, f)
	case f.Stuck && f.Since == nil:
		t.Errorf("%s is stuck and does not say since when", f.Cause)
	}
}

func checkBody(t reporter, s sign, want *body, f *diagnose.Finding) {
	t.Helper()
	if f.Count != want.count {
		t.Errorf("%v: counts %d, want %d", s, f.Count, want.count)
	}
	if want.confidence != "" && f.Confidence != want.confidence {
		t.Errorf("%v: is %s, want %s", s, f.Confidence, want.confidence)
	}
	got := map[int]int{}
	if f.Owner != nil {
		for _, p := range f.Owner.PIDs {
			got[p.PID] = p.Count
		}
	}
	if !maps.Equal(got, want.pids) {
		t.Errorf("%v: owners %v, want %v (process → sockets)", s, got, want.pids)
	}
	if len(f.AlsoHeldBy) > 0 {
		t.Errorf("%v: also held by %v, want nobody", s, f.AlsoHeldBy)
	}
}

// checkSockets holds each socket of the record against the one that is listed,
// and sees that no other is.
func checkSockets(t reporter, s *observe.Snapshot, findings []diagnose.Finding, x *player) {
	t.Helper()
	var listed []*diagnose.SocketDetail
	for i := range findings {
		for j := range findings[i].Sockets {
			listed = append(listed, &findings[i].Sockets[j])
		}
	}
	for _, c := range x.record() {
		n := 0
		listed = slices.DeleteFunc(listed, func(d *diagnose.SocketDetail) bool {
			if !matches(&c, d) {
				return false
			}
			n++
			checkSocket(t, s, x, &c, d)
			return true
		})
		switch {
		case c.Cause == "" && n > 0:
			t.Errorf("%v → %v (%v) is nobody's trouble, and reported", c.Local, c.Remote, c.State)
		case c.Cause != "" && n != 1:
			t.Errorf("%v → %v (%v, %s) is listed %d times", c.Local, c.Remote, c.State, c.Cause, n)
		}
	}
	for _, d := range listed {
		t.Errorf("listed, and in no record: %+v", *d)
	}
}

// matches reports whether d is the recorded socket. A cookie is never used twice,
// but by the MPTCP sockets of one listener.
func matches(c *misbehave.Conn, d *diagnose.SocketDetail) bool {
	if c.Cookie != 0 && d.Cookie != "0" && !c.MPTCP {
		return d.Cookie == strconv.FormatUint(c.Cookie, 16)
	}
	return d.Local == unmapped(c.Local).String() && d.Remote == unmapped(c.Remote).String()
}

func checkSocket(t reporter, s *observe.Snapshot, x *player, c *misbehave.Conn, d *diagnose.SocketDetail) {
	t.Helper()
	name := fmt.Sprintf("%v → %v (%s)", c.Local, c.Remote, c.Cause)
	if local := unmapped(c.Local).String(); c.Local.IsValid() && d.Local != local {
		t.Errorf("%s: local address %s, want %s", name, d.Local, local)
	}
	if remote := unmapped(c.Remote).String(); c.State != tcp.Closed && d.Remote != remote {
		t.Errorf("%s: remote address %s, want %s", name, d.Remote, remote)
	}
	flows := c.Cause == string(diagnose.HalfCloseInUse) || x.spec.Kind == misbehave.RelayBuffering
	if !flows && c.State != tcp.Closed && (d.RecvQ != c.RecvQ || d.SendQ != c.SendQ) {
		t.Errorf("%s: queues %d and %d, want %d and %d", name, d.RecvQ, d.SendQ, c.RecvQ, c.SendQ)
	}
	if c.Inode != d.Inode {
		t.Errorf("%s: inode %d, want %d", name, d.Inode, c.Inode)
	}
	checkDescriptors(t, name, c, d.FDs)
	oldest := s.TakenAt.Add(time.Duration(s.TookMS)*time.Millisecond).Sub(x.begun) + clockSlack
	newest := s.TakenAt.Sub(x.ready) - clockSlack
	least := time.Duration(d.Age.AtLeastS * float64(time.Second))
	if least > oldest {
		t.Errorf("%s: at least %v old, and was not begun before %v", name, least, oldest)
	}
	if d.Age.AtMostS == nil {
		return
	}
	if most := time.Duration(*d.Age.AtMostS * float64(time.Second)); most < newest || most < least {
		t.Errorf("%s: at most %v old (at least %v), and was ready %v before", name, most, least, newest)
	}
}

func checkDescriptors(t reporter, name string, c *misbehave.Conn, got []observe.Holder) {
	t.Helper()
	want := map[observe.Holder]bool{}
	if c.FD >= 0 {
		want[observe.Holder{PID: int32(c.PID), FD: int32(c.FD)}] = true
	}
	for _, h := range c.AlsoHeldBy {
		want[observe.Holder{PID: int32(h.PID), FD: int32(h.FD)}] = true
	}
	set := map[observe.Holder]bool{}
	for _, h := range got {
		set[h] = true
	}
	if !maps.Equal(set, want) || len(got) != len(want) {
		t.Errorf("%s: descriptors %v, want %v", name, got, slices.Collect(maps.Keys(want)))
	}
}

// quote shows a finding's sockets, for a failure's message.
func quote(f *diagnose.Finding) string {
	text := ""
	for i, d := range f.Sockets {
		if i == 3 {
			return text + "\n\t…"
		}
		text += fmt.Sprintf("\n\t%+v", d)
	}
	for _, e := range f.Evidence {
		text += "\n\t" + e.Fact
	}
	return text
}
