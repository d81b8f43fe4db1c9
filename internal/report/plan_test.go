package report

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/remedy"
	"github.com/closewait/closewait/tcp"
)

// The hand-made plan of the golden tests: a part of every sort.
func samplePlan(owner *diagnose.Owner) *remedy.Plan {
	subject := remedy.Subject{
		ID: "4ca10f5e12ab", Cause: diagnose.EOFUnread, Confidence: diagnose.Certain, State: tcp.CloseWait, Direction: diagnose.Outbound,
		Local: "*", Remote: "10.0.0.5:5000", Owner: owner,
	}
	masked := subject
	masked.Cause, masked.State, masked.Confidence = diagnose.Masked, tcp.Closed, diagnose.Likely
	keepalive := remedy.Part{
		Subject: subject, Degree: remedy.KeepAlive, Count: 2, Why: "if the peer closed or vanished, a probe ends it", When: "a probe leaves at once",
		Frees:  &remedy.Frees{Port: "when it ends", Memory: "what waits to be sent", Peer: "gets a probe", Descriptor: "stays with the application until it closes it"},
		Others: []remedy.Choice{{Degree: remedy.Room, Can: true, Text: "pid 2113 has 846 of 1024 descriptors open"}, {Degree: remedy.Destroy, Text: "it says no"}},
	}
	for i := range 2 {
		keepalive.Acts = append(keepalive.Acts, remedy.Act{Degree: remedy.KeepAlive, Finding: subject.ID, Cause: subject.Cause, Socket: sampleTarget(i)})
	}
	room := remedy.Part{
		Subject: masked, Degree: remedy.Room, Count: 1, Why: "what can be had is time", When: "at once, and lasts for 3 h",
		Frees: &remedy.Frees{Port: "no", Memory: "no", Peer: "notices nothing", Descriptor: "frees none: it allows more of them"},
		Acts:  []remedy.Act{{Degree: remedy.Room, Finding: subject.ID, Process: &remedy.Process{PID: 2113, Open: 846, Soft: 1024, Hard: 4096, To: 4096}}},
	}
	nothing := remedy.Part{Subject: masked, Count: 138, Why: "this can't be fixed from outside", Instead: "a restart frees all of them at once"}
	return &remedy.Plan{
		Schema: remedy.Schema, Host: observe.Host{Name: "web-3"}, TakenAt: taken, IntervalS: 1, GraceS: 60, Degree: remedy.Auto,
		Limits: []string{"one thing, and how to see it"}, Parts: []remedy.Part{keepalive, room, nothing}, NotStuck: 4,
	}
}

func sampleTarget(i int) *remedy.Socket {
	return &remedy.Socket{
		Name: "84402a", Local: netip.AddrPortFrom(netip.MustParseAddr("::ffff:10.0.0.7"), uint16(40000+i)), Remote: netip.MustParseAddrPort("[::ffff:10.0.0.5]:5000"),
		State: tcp.CloseWait, Inode: 7, Holders: []remedy.Holder{{PID: 2113, FD: 9 + i}},
	}
}

// sampleDone is what came of it, each outcome once.
func sampleDone(owner *diagnose.Owner) *remedy.Done {
	p := samplePlan(owner)
	was, is := remedy.Sight{State: tcp.CloseWait, Unread: 1}, remedy.Sight{State: tcp.LastAck}
	acts := p.Parts[0].Acts
	d := &remedy.Done{
		Plan: p, Counts: map[remedy.Outcome]int{}, TookMS: 2100, Owners: []remedy.OwnerChange{{PID: 2113, Before: 846, After: 840}, {PID: 2114, Before: 9, After: -1}},
		Results: []remedy.Result{
			{Act: &acts[0], Outcome: remedy.DidEnd, Before: &was, Descriptor: remedy.Released},
			{Act: &acts[1], Outcome: remedy.StillThere, Why: "the peer has not acknowledged the FIN yet", Before: &was, After: &is, Descriptor: remedy.Held},
			{Act: &acts[1], Outcome: remedy.Refused, Why: "not permitted: to destroy a socket needs CAP_NET_ADMIN"},
			{Act: &acts[1], Outcome: remedy.WasGone, Why: "the connection has ended"},
			{Act: &p.Parts[1].Acts[0], Outcome: remedy.Raised, WasMax: &remedy.OpenFiles{Soft: 1024, Hard: 4096}, IsMax: &remedy.OpenFiles{Soft: 4096, Hard: 4096}},
			{Act: &acts[1], Outcome: remedy.NotReached},
		},
	}
	for i := range d.Results {
		d.Counts[d.Results[i].Outcome]++
	}
	return d
}

func planText(t *testing.T, p *remedy.Plan, s Style) string {
	t.Helper()
	var b bytes.Buffer
	if err := Plan(&b, p, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func doneText(t *testing.T, d *remedy.Done, s Style) string {
	t.Helper()
	var b bytes.Buffer
	if err := Done(&b, d, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPlanGolden(t *testing.T) {
	golden(t, "plan.txt", []byte(planText(t, samplePlan(apache()), Style{All: true})))
	golden(t, "done.txt", []byte(doneText(t, sampleDone(apache()), Style{})))
	nothing := &remedy.Plan{Host: observe.Host{Name: "web-3"}, TakenAt: taken, NotStuck: 1}
	golden(t, "plan.nothing.txt", []byte(planText(t, nothing, Style{})+planText(t, nothing, Style{Filter: "--pid 7"})+
		planText(t, &remedy.Plan{TakenAt: taken}, Style{Filter: "--pid 7"})))
}

// Nothing is wider than asked for, but the rows of connections.
func TestPlanFits(t *testing.T) {
	for width := MinWidth; width <= DefaultWidth; width++ {
		text := planText(t, samplePlan(apache()), Style{Width: width}) + doneText(t, sampleDone(apache()), Style{Width: width})
		for line := range strings.Lines(text) {
			if n := columns(strings.TrimSuffix(line, "\n")); n > width && !strings.Contains(line, "cookie") {
				t.Fatalf("width %d: a line of %d columns: %q", width, n, line)
			}
		}
	}
}

// A process's title steers nobody's terminal.
func TestPlanIsSafeToPrint(t *testing.T) {
	evil := apache()
	evil.Title, evil.Comm = "x\x1b[31m\u202e", "y\nz"
	s := Style{Now: taken.Add(time.Hour)}
	for _, text := range []string{planText(t, samplePlan(evil), s), doneText(t, sampleDone(evil), s)} {
		if strings.ContainsAny(text, "\x1b\u202e") || strings.Contains(text, "y\nz") {
			t.Errorf("it prints %q", text)
		}
	}
	var b bytes.Buffer
	if err := JSONLine(&b, samplePlan(evil)); err != nil || strings.ContainsAny(b.String(), "\x1b\u202e") || strings.Count(b.String(), "\n") != 1 {
		t.Errorf("%v: it writes %q", err, b.String())
	}
}
