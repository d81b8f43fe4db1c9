package diagnose

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// describe makes a group into a finding. Growth of the owner, exhaustion and
// severity need all findings and come later (weigh).
func describe(v *view, g *group, o Options) Finding {
	f := Finding{
		Cause: g.key.cause, Stuck: g.key.stuck, State: g.key.state, Count: len(g.members),
		Direction: g.key.direction, NetNS: netnsOf(v, g.key.netns), Confidence: confidenceOf(g),
	}
	// Each of these walks through all members and touches nothing but its own fields.
	var wg sync.WaitGroup
	wg.Go(func() { f.Owner, f.AlsoHeldBy = ownerFor(v, g) })
	wg.Go(func() { f.Evidence = evidenceOf(v, g) })
	f.Local, f.Remote = g.key.ends()
	f.PeerHolds = g.key.state == tcp.CloseWait && allHeldByPeers(v, g)
	if g.twin != nil && g.key.stuck {
		f.Younger = len(g.twin.members)
	}
	f.ID = idOf(v, g.key)
	describeCode(v, g, &f)
	describeAges(v, g, &f)
	describeEnds(v, g, &f)
	wg.Wait()
	f.Advice = adviceFor(v, g, &f)
	if o.Sockets {
		f.Sockets = detailsOf(v, g)
	}
	return f
}

func allHeldByPeers(v *view, g *group) bool {
	for i := range g.members {
		if s, _ := g.at(v, i); !peerOf(v, s).holds {
			return false
		}
	}
	return true
}

// confidenceOf: a group is certain if every member is.
func confidenceOf(g *group) Confidence {
	for _, m := range g.members {
		if !g.verdicts[m].certain {
			return Likely
		}
	}
	return Certain
}

// idOf hashes what stays the same while the group lives: not the pids, which
// change when workers restart.
func idOf(v *view, k groupKey) string {
	var prog programKey
	if k.program >= 0 {
		prog = v.programs.all[k.program].key
	}
	local, remote := k.ends()
	if k.listener >= 0 {
		local = v.cur.Sockets[k.listener].Local.String()
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []string{
		prog.exe, prog.title, prog.container, prog.pod, prog.unit, strconv.FormatUint(prog.netns, 10),
		strconv.FormatUint(k.netns, 10), string(k.cause),
		strconv.FormatBool(k.stuck), k.state.String(), string(k.direction), local, remote,
		strconv.FormatUint(uint64(k.uid), 10), strconv.FormatBool(k.mptcp), k.code,
	}))
	return hex.EncodeToString(sum[:6])
}

func netnsOf(v *view, id uint64) NetNS {
	out := NetNS{ID: id}
	if n := v.namespaces[id]; n != nil {
		out.Name = n.Name
	}
	return out
}

func describeAges(v *view, g *group, f *Finding) {
	f.Oldest, f.Newest = extremes(g)
	oldest := g.verdicts[g.members[0]].age
	for _, m := range g.members {
		if a := g.verdicts[m].age; oldest.before(a) {
			oldest = a
		}
	}
	if best := oldest.best(); best > 0 {
		f.Since = moment(v.now.Add(-best).Truncate(time.Second))
	}
}

// extremes bounds the ages of the oldest and of the newest member, whichever they are.
func extremes(g *group) (oldest, newest Age) {
	old, young := age{bounded: true}, g.verdicts[g.members[0]].age
	for _, m := range g.members {
		a := g.verdicts[m].age
		old.least = max(old.least, a.least)
		old.most, old.bounded = max(old.most, a.most), old.bounded && a.bounded
		young.least = min(young.least, a.least)
		if a.bounded && (!young.bounded || a.most < young.most) {
			young.most, young.bounded = a.most, true
		}
	}
	return old.public(), young.public()
}

// describeEnds counts the members' outlooks and shows the most lasting one.
func describeEnds(v *view, g *group, f *Finding) {
	worst := g.verdicts[g.members[0]].ends
	var counts [len(lasting)]int
	for _, m := range g.members {
		e := g.verdicts[m].ends
		counts[e.rank()]++
		if e.outlasts(worst) {
			worst = e
		}
	}
	f.Outlooks = map[Ending]int{}
	for rank, n := range counts {
		if n > 0 {
			f.Outlooks[lasting[rank]] = n
		}
	}
	f.Outlook = worst.public(v.now)
}

// lasting orders the kinds, most lasting first. By and At count as one: the time
// decides between them.
var lasting = [...]Ending{Never, OnWrite, By, At, Soon}

func (e ending) rank() int { return slices.Index(lasting[:], e.kind) }

// outlasts is a total order, so that the order of sockets does not show.
func (e ending) outlasts(other ending) bool {
	timed := func(k Ending) bool { return k == By || k == At }
	switch a, b := e.rank(), other.rank(); {
	case a != b && (!timed(e.kind) || !timed(other.kind)):
		return a < b
	case e.after != other.after && (timed(e.kind) || e.kind == Soon):
		return e.after > other.after
	case a != b:
		return a < b
	case e.likely != other.likely:
		return e.likely
	}
	return e.rule != other.rule && e.rule.why < other.rule.why
}

func (e ending) public(now time.Time) Outlook {
	out := Outlook{Kind: e.kind, Confidence: Certain}
	if e.likely {
		out.Confidence = Likely
	}
	if e.rule != nil {
		out.Why, out.Claims = e.rule.why, e.rule.claims
	}
	if e.kind == At || e.kind == By {
		out.At = moment(now.Add(e.after).Truncate(time.Millisecond))
	}
	return out
}

// moment leaves out what RFC 3339 can not write.
func moment(t time.Time) *time.Time {
	if y := t.Year(); y < 0 || y > 9999 {
		return nil
	}
	return &t
}

func detailsOf(v *view, g *group) []SocketDetail {
	out := make([]SocketDetail, 0, len(g.members))
	for i := range g.members {
		s, d := g.at(v, i)
		fl := s.Flow()
		detail := SocketDetail{
			Key: s.Key(), Local: fl.Local.String(), State: s.State, RecvQ: s.RecvQ, SendQ: s.SendQ, Timer: timerText(s.Timer),
			Inode: s.Inode, Cookie: strconv.FormatUint(s.Cookie, 16), FDs: s.Holders, Age: d.age.public(), Ends: d.ends.kind,
		}
		if fl.Remote.IsValid() {
			detail.Remote = fl.Remote.String()
		}
		out = append(out, detail)
	}
	slices.SortStableFunc(out, func(a, b SocketDetail) int {
		return cmp.Or(cmp.Compare(b.Age.AtLeastS, a.Age.AtLeastS), strings.Compare(a.Local, b.Local), strings.Compare(a.Remote, b.Remote),
			cmp.Compare(a.Inode, b.Inode), strings.Compare(a.Cookie, b.Cookie))
	})
	return out
}

var timerNames = map[observe.TimerKind]string{
	observe.TimerRetransmit: "retransmission", observe.TimerKeepalive: "keepalive",
	observe.TimerTimeWait: "timewait", observe.TimerProbe: "zero-window probe",
}

func timerText(t observe.Timer) string {
	name, ok := timerNames[t.Kind]
	if !ok {
		return "none"
	}
	text := fmt.Sprintf("%s %.1f s", name, t.Expires.Seconds())
	if t.Retries > 0 {
		text += fmt.Sprintf(", %d unanswered", t.Retries)
	}
	return text
}
