package diagnose

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

func TestAnEmptyHost(t *testing.T) {
	r := Diagnose(nil, &observe.Snapshot{TakenAt: noon}, Options{})
	if len(r.Findings) != 0 || !r.Complete || r.GraceS != 60 || r.Schema != "closewait/v1" {
		t.Errorf("%+v", r)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"findings", "limits"} {
		if v, ok := out[list].([]any); !ok || len(v) != 0 {
			t.Errorf("%s is %v, want an empty list", list, out[list])
		}
	}
}

func TestWhatIsNoFinding(t *testing.T) {
	w := newWorld()
	w.listen("0.0.0.0:8080", 5, 5, appPID)
	for _, st := range []tcp.State{tcp.Established, tcp.SynSent, tcp.SynReceived, tcp.TimeWait, tcp.NewSynReceived} {
		w.add(state(st))
	}
	if r := w.report(); len(r.Findings) != 0 {
		t.Error(told(r))
	}
}

func TestTotals(t *testing.T) {
	w := crowd()
	w.Namespaces[0].TCP = observe.Counter{InUse: 100, TimeWait: 20}
	w.Namespaces[1].TCP = observe.Counter{InUse: 7}
	w.addMany(3, dead)
	w.add(quiet(5, 3650, 600))
	w.add(state(tcp.FinWait2), noFile, noInfo, timer(timeWait, 5, 0))
	want := Totals{TCP: 127, Namespaces: 3, CloseWait: 6, FinWait2: 2, Masked: 3, Stuck: 9, NotStuck: 2}
	if got := w.report().Totals; got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestAnIncompleteLookIsNeverSilent(t *testing.T) {
	w := newWorld()
	w.limit(observe.LimitNetNS)
	if r := w.report(); r.Complete || !slices.Equal(r.Limits, []string{"netns"}) {
		t.Errorf("%v %v", r.Complete, r.Limits)
	}
}

func TestTheWorstComesFirst(t *testing.T) {
	w := newWorld()
	w.process(200, "/bin/full").OpenFiles = 1020
	w.process(300, "/bin/half").OpenFiles = 600
	w.process(400, "/bin/many").NoFileSoft = 1 << 20
	w.process(500, "/bin/young")
	w.addMany(2, recvQ(1))
	w.addMany(500, recvQ(1), quiet(9, 9, 9), heldBy(500))
	w.addMany(200, recvQ(1), heldBy(400))
	w.addMany(3, recvQ(1), heldBy(300))
	w.addMany(1, recvQ(1), heldBy(200))
	w.addMany(4, recvQ(1), remote("10.0.0.9:1"))
	var got []int
	for _, f := range w.report().Findings {
		got = append(got, f.Count)
	}
	if want := []int{1, 200, 3, 4, 2, 500}; !slices.Equal(got, want) {
		t.Errorf("counts %v, want %v", got, want)
	}
}

func TestSocketsAreListedOldestFirst(t *testing.T) {
	w := newWorld()
	for _, a := range []float64{90, 700, 300} {
		w.add(recvQ(1), quiet(9000, 9000, a), timer(retransmit, 12.34, 2))
	}
	f := only(t, w.report())
	var ages []float64
	for _, s := range f.Sockets {
		ages = append(ages, s.Age.AtLeastS)
	}
	if !slices.Equal(ages, []float64{700, 300, 90}) || f.Sockets[0].Timer != "retransmission 12.3 s, 2 unanswered" {
		t.Errorf("%v %q", ages, f.Sockets[0].Timer)
	}
	if r := Diagnose(nil, &w.Snapshot, Options{}); r.Findings[0].Sockets != nil {
		t.Error("sockets are listed unasked")
	}
}

func TestEveryFindingSaysWhyAndWhatToDo(t *testing.T) {
	w := crowd()
	w.add(dead)
	w.add(sendQ(5), timer(probe, 5, 0))
	w.add(quiet(5, 3650, 600))
	w.add(state(tcp.FinWait2), noFile, noInfo, timer(timeWait, 5, 0))
	w.add(state(tcp.LastAck), sendQ(1), timer(retransmit, 5, 3))
	r := w.report()
	seen := map[Cause]bool{}
	for _, f := range r.Findings {
		seen[f.Cause] = true
		if len(f.Evidence) == 0 || f.Advice.Meaning == "" || f.Advice.Fix == "" || len(f.Advice.Now) == 0 || f.Outlook.Why == "" {
			t.Errorf("%s: %+v %+v %+v", f.Cause, f.Evidence, f.Advice, f.Outlook)
		}
		for _, e := range f.Evidence {
			if e.Fact == "" || e.Source != "sock_diag" && e.Source != "procfs" {
				t.Errorf("%s: evidence %+v", f.Cause, e)
			}
		}
	}
	for _, c := range Causes {
		if !seen[c] {
			t.Errorf("%s is never found", c)
		}
	}
}

func TestAdviceDependsOnDirection(t *testing.T) {
	w := newWorld()
	w.listen("0.0.0.0:8080", 0, 5, appPID)
	w.add(recvQ(1))
	w.add(recvQ(1), toPort)
	r := w.report()
	if a, b := r.Findings[0].Advice, r.Findings[1].Advice; a.Meaning == b.Meaning || a.Fix == b.Fix {
		t.Errorf("eof-unread inbound means a busy or hung handler, not an idle pool: %q", a.Meaning)
	}
}

func TestEvidenceOfTwoLooksIsOfTwoLooks(t *testing.T) {
	first := newWorld()
	first.add(quiet(5, 3650, 600)) // certain in one look, and nothing moves after
	f := only(t, first.later(time.Second).since(first))
	for _, e := range f.Evidence {
		if e.Fact == "1 of 1 moved data between the two looks" {
			t.Error("it did not")
		}
	}
}
