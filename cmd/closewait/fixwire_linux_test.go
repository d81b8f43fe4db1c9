package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/lab"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/remedy"
	"github.com/closewait/closewait/scenario"
	"github.com/closewait/closewait/tcp"
)

// What each degree sends, captured on the wire between two hosts, and what the
// peer's application then meets. The peer is on another host: nothing of it shows
// on this one.
func TestFixOnTheWire(t *testing.T) {
	t.Parallel()
	privilege.Need(t, "packets between two hosts")
	halfClose := scenario.Call{Op: scenario.Shutdown, How: scenario.Writing}
	for _, row := range []struct {
		name    string
		degree  remedy.Degree
		remote  []scenario.Call // what the peer does
		pause   time.Duration   // after it
		outcome remedy.Outcome
		wire    string
		peer    string // what the peer's next read returns
	}{
		{"shutdown, the peer waits", remedy.Shutdown, []scenario.Call{halfClose}, 0, remedy.DidEnd, "ours FIN, peer ACK", "0"},
		{"shutdown, the peer has closed", remedy.Shutdown, []scenario.Call{{Op: scenario.Close}}, 0, remedy.DidEnd, "ours FIN, peer ACK", ""},
		{"destroy, the peer waits", remedy.Destroy, []scenario.Call{halfClose}, 0, remedy.DidEnd, "ours RST", "ECONNRESET"},
		{"destroy, the peer has closed", remedy.Destroy, []scenario.Call{{Op: scenario.Close}}, 0, remedy.DidEnd, "ours RST", ""},
		{"keepalive, the peer waits", remedy.KeepAlive, []scenario.Call{halfClose}, 1200 * time.Millisecond, remedy.StillThere, "ours ACK, peer ACK", "EAGAIN"},
		{"keepalive, the peer is gone", remedy.KeepAlive,
			[]scenario.Call{{Op: scenario.Set, Option: scenario.Linger2, Span: time.Second}, {Op: scenario.Close}}, 2500 * time.Millisecond,
			remedy.DidEnd, "ours ACK, peer RST", ""},
		{"room", remedy.Room, []scenario.Call{halfClose}, 0, remedy.Raised, "", "EAGAIN"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t)
			w.connected()
			for _, c := range row.remote {
				w.call(1, c)
			}
			w.until("CLOSE_WAIT", func(o [2]scenario.Observation) bool { return o[0].State == tcp.CloseWait })
			w.pass(row.pause)
			_ = w.sent()

			prev, cur := twoLooks(t)
			plan := w.plan(prev, cur, row.degree)
			if plan.Acts() != 1 {
				t.Fatalf("%d acts are planned: %s", plan.Acts(), whys(plan))
			}
			patience := 20 * time.Second
			if row.outcome == remedy.StillThere {
				patience = time.Second
			}
			done := carryOut(t, plan, patience)
			if got := done.Results[0]; got.Outcome != row.outcome {
				t.Errorf("%s: %s", got.Outcome, got.Why)
			}
			w.pass(200 * time.Millisecond)
			if got := w.sent(); got != row.wire {
				t.Errorf("on the wire: %q, want %q", got, row.wire)
			}
			if row.peer == "" {
				return
			}
			got := w.call(1, scenario.Call{Op: scenario.Read})
			if read := cmp.Or(got.Err, strconv.Itoa(got.N)); read != row.peer {
				t.Errorf("the peer's application reads %s, want %s", read, row.peer)
			}
		})
	}
}

// wire is an engine whose packets are told in words.
type wire struct {
	*lab.Engine
	t        *testing.T
	children []int
}

func (w *wire) call(host int, c scenario.Call) scenario.Return {
	w.t.Helper()
	r, err := w.Call(host, c)
	must(w.t, err)
	return r
}

func (w *wire) connected() {
	w.t.Helper()
	w.call(1, scenario.Call{Op: scenario.Listen})
	w.call(0, scenario.Call{Op: scenario.Connect})
	w.until("a connection", func(o [2]scenario.Observation) bool { return o[0].State == tcp.Established })
	w.call(1, scenario.Call{Op: scenario.Accept})
}

func (w *wire) until(what string, ok func([2]scenario.Observation) bool) {
	w.t.Helper()
	within(w.t, 10*time.Second, what, func() bool {
		must(w.t, w.Advance(time.Millisecond))
		var o [2]scenario.Observation
		for i := range o {
			var err error
			o[i], err = w.Observe(i)
			must(w.t, err)
		}
		return ok(o)
	})
}

// pass lets time pass, in the engine too.
func (w *wire) pass(d time.Duration) {
	w.t.Helper()
	for deadline := time.Now().Add(d); time.Now().Before(deadline); {
		must(w.t, w.Advance(10*time.Millisecond))
	}
}

// sent tells what went over the wire since it was last asked. What a busy machine makes
// the kernel send twice is told once.
func (w *wire) sent() string {
	w.t.Helper()
	packets, err := w.Wire()
	must(w.t, err)
	var told []string
	for i, p := range packets {
		if slices.ContainsFunc(packets[:i], func(q scenario.Packet) bool {
			return q.From == p.From && q.Segment.Seq == p.Segment.Seq && q.Segment.Len == p.Segment.Len && q.Segment.Flags == p.Segment.Flags
		}) {
			continue
		}
		who, what := [2]string{"ours", "peer"}[p.From], "ACK"
		switch f := p.Segment.Flags; {
		case f&tcp.RST != 0:
			what = "RST"
		case f&tcp.FIN != 0:
			what = "FIN"
		case p.Segment.Len > 0:
			what = "data"
		}
		if p.Lost {
			what += " lost"
		}
		told = append(told, who+" "+what)
	}
	return strings.Join(told, ", ")
}

// plan is for the connection of the engine's local host alone: the one that a
// child of this test holds in the engine's namespace.
func (w *wire) plan(prev, cur *observe.Snapshot, d remedy.Degree) *remedy.Plan {
	w.t.Helper()
	pid := w.localPID(cur)
	// To a look at one of two real hosts, the other one's end does not show.
	cur.Sockets = slices.DeleteFunc(cur.Sockets, func(s observe.Socket) bool { return s.State == tcp.FinWait2 })
	r := diagnose.Diagnose(prev, cur, diagnose.Options{Grace: 100 * time.Millisecond, Sockets: true, Filter: diagnose.Filter{PIDs: []int{pid}}})
	return remedy.Make(prev, cur, r, remedy.Options{
		Degree: d, Probes: remedy.Probes{Idle: remedy.Seconds(time.Second), Interval: remedy.Seconds(time.Minute), Count: 3},
	})
}

// localPID is the application of the engine's host 0: of its children, the one
// whose connection the peer has closed.
func (w *wire) localPID(cur *observe.Snapshot) int {
	w.t.Helper()
	for i := range cur.Sockets {
		s := &cur.Sockets[i]
		if s.State == tcp.CloseWait && len(s.Holders) > 0 && slices.Contains(w.children, int(s.Holders[0].PID)) {
			return int(s.Holders[0].PID)
		}
	}
	w.t.Fatal("the engine's application was not seen")
	return 0
}

// called are the processes that this one has started, of a title. Other tests' children
// come and go meanwhile.
func called(t *testing.T, title string) []int {
	t.Helper()
	var all []int
	files, err := filepath.Glob("/proc/self/task/*/children")
	must(t, err)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // the thread has ended
		}
		must(t, err)
		for _, word := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(word)
			must(t, err)
			if line, err := os.ReadFile("/proc/" + word + "/cmdline"); err == nil && strings.HasPrefix(string(line), title+"\x00") {
				all = append(all, pid)
			}
		}
	}
	return all
}

// wires numbers the engines, so that each has hosts of names of its own.
var wires atomic.Int32

// newWire starts an engine, and knows its applications.
func newWire(t *testing.T) *wire {
	t.Helper()
	n := wires.Add(1)
	hosts := [2]string{fmt.Sprintf("ours-%d", n), fmt.Sprintf("peer-%d", n)}
	e, err := lab.NewEngine(t.Context(), lab.Options{Pace: lab.RealPace(), Hosts: hosts})
	if errors.Is(err, lab.ErrUnavailable) {
		privilege.Refused(t, "packets between two hosts", err)
	}
	must(t, err)
	t.Cleanup(func() { must(t, e.Close()) })
	w := &wire{t: t, Engine: e}
	for _, host := range hosts {
		for _, pid := range called(t, "(lab:"+host+")") {
			w.children = append(w.children, pid)
			// So that there is room to give.
			must(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 512, Max: 4096}, nil))
		}
	}
	if len(w.children) != 2 {
		t.Fatalf("the engine's applications are %v", w.children)
	}
	return w
}
