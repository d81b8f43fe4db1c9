package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/remedy"
	"github.com/closewait/closewait/tcp"
)

// end is what must come of a degree on a kind.
type end struct {
	// outcome of every act; "" where none may be planned, and why then says why.
	outcome remedy.Outcome
	why     string
	// peer is the other side's end afterwards; zero: its socket is gone, or was.
	peer tcp.State
}

func ends(peer tcp.State) end { return end{outcome: remedy.DidEnd, peer: peer} }
func not(why string) end      { return end{why: why} }
func remains(why string) end  { return end{outcome: remedy.StillThere, why: why} }
func (e end) untouched() bool { return e.outcome == "" }

// The reasons for leaving a connection alone, as plans give them.
const (
	noHolder   = "no process was seen that holds"
	shutBefore = "a shutdown ends CLOSE_WAIT only"
	finFirst   = "no probe is sent while a FIN"
	dataFirst  = "no probe is sent while data"
	answers    = "the peer's end is on this host"
	outside    = "can't be fixed from outside"
	inQueue    = "frees no place in the listener's queue"
	multipath  = "Multipath TCP"
)

// degreeTable says for each kind what keepalive, shutdown and destroy come to. A
// peer on the same host that still holds its end answers every probe (C9), so
// keepalive is of use only where the peer has closed.
var degreeTable = []struct {
	kind                         misbehave.Kind
	keepalive, shutdown, destroy end
}{
	{misbehave.EOFUnread, ends(0), ends(0), ends(0)},
	{misbehave.EOFUnreadInbound, ends(0), ends(0), ends(0)},
	{misbehave.EOFPeeked, ends(0), ends(0), ends(0)},
	{misbehave.Farewell, ends(0), ends(0), ends(0)},
	{misbehave.BoundedPool, ends(0), ends(0), ends(0)},
	{misbehave.DataUnread, ends(0), ends(0), ends(0)},
	{misbehave.DataUnreadPartial, ends(0), ends(0), ends(0)},
	{misbehave.DataUnreadInbound, ends(0), ends(0), ends(0)},
	{misbehave.EOFIgnored, ends(0), ends(0), ends(0)},
	{misbehave.EOFIgnoredInbound, ends(0), ends(0), ends(0)},
	{misbehave.EOFCoalesced, ends(0), ends(0), ends(0)},
	{misbehave.AnsweredThenKept, ends(0), ends(0), ends(0)},
	{misbehave.SlowAnswer, not(answers), ends(0), ends(0)},
	{misbehave.SendBlocked, not(dataFirst), remains("the FIN waits behind data"), ends(0)},
	{misbehave.SendBlockedFinWait1, not(finFirst), not(shutBefore), ends(0)},
	{misbehave.SendBlockedClosing, not(finFirst), not(shutBefore), ends(tcp.FinWait2)},
	{misbehave.SendBlockedLastAck, not(finFirst), not(shutBefore), ends(tcp.FinWait2)},
	{misbehave.SendBlockedFinWait1Orphan, not(noHolder), not(noHolder), ends(0)},
	{misbehave.SendBlockedLastAckOrphan, not(noHolder), not(noHolder), ends(tcp.FinWait2)},
	{misbehave.RelayStuck, not(answers), ends(0), ends(0)},
	{misbehave.OrphanDrainingLong, not(""), not(""), not("")},
	{misbehave.FinUnackedOrphan, not(""), not(""), not("")},
	{misbehave.Ownerless, not(noHolder), not(noHolder), ends(0)},
	{misbehave.PeerKeepsOpen, not(answers), not(shutBefore), ends(0)},
	{misbehave.NeverAccepted, not(inQueue), not(inQueue), not(inQueue)},
	{misbehave.MaskedWrite, not(outside), not(outside), not(outside)},
	{misbehave.MaskedReset, not(outside), not(outside), not(outside)},
	{misbehave.HalfCloseInUse, not(""), not(""), not("")},
	{misbehave.Relay, not(""), not(""), not("")},
	{misbehave.OrphanDraining, not(""), not(""), not("")},
	{misbehave.EOFUnreadMPTCP, not(multipath), not(multipath), not(multipath)},
	{misbehave.FinUnacked, not(finFirst), not(shutBefore), ends(tcp.Established)},
	{misbehave.FinUnackedLastAck, not(finFirst), not(shutBefore), ends(tcp.FinWait2)},
}

// trial is one program with one degree to be tried on it.
type trial struct {
	name    string
	degree  remedy.Degree
	want    end
	program *misbehave.Program
	err     error
	spec    misbehave.Spec
}

// TestDegrees: each degree on each cause, IPv4 and IPv6, in the own and in a
// foreign namespace: what is planned, what comes of it, and the end on both sides.
func TestDegrees(t *testing.T) {
	privilege.Need(t, "each degree on each cause")
	for _, where := range []string{"own namespace", "foreign namespace"} {
		t.Run(where, func(t *testing.T) {
			path := ""
			if where == "foreign namespace" {
				path = foreignPath(t)
			}
			tryAll(t, trials(t, path), path)
		})
	}
}

func trials(t *testing.T, path string) []*trial {
	t.Helper()
	var all []*trial
	for _, row := range degreeTable {
		for _, v6 := range []bool{false, true} {
			for degree, want := range map[remedy.Degree]end{remedy.KeepAlive: row.keepalive, remedy.Shutdown: row.shutdown, remedy.Destroy: row.destroy} {
				// The peer's FIN_WAIT_2 is short, so that the first probe already finds
				// nothing there. What is not to be touched is tried with one degree only.
				s := misbehave.Spec{Kind: row.kind, Count: 3, IPv6: v6, NetNS: path, PeerLinger: time.Second}
				if want.untouched() && degree != remedy.Destroy {
					continue
				}
				if row.kind == misbehave.EOFUnreadMPTCP {
					s.PeerLinger = 0 // Multipath TCP knows no TCP_LINGER2
				}
				name := fmt.Sprintf("%s on %s, IPv6 %v", degree, row.kind, v6)
				all = append(all, &trial{name: name, degree: degree, want: want, spec: s})
			}
		}
	}
	var wg sync.WaitGroup
	atOnce := make(chan bool, 8)
	for _, x := range all {
		wg.Go(func() {
			atOnce <- true
			defer func() { <-atOnce }()
			x.program, x.err = misbehave.Start(t.Context(), x.spec)
		})
	}
	wg.Wait()
	for _, x := range all {
		if x.program != nil {
			t.Cleanup(func() { _ = x.program.Stop() })
		}
	}
	for _, x := range all {
		if x.err != nil {
			t.Fatalf("%s: %v", x.name, x.err)
		}
	}
	return all
}

func tryAll(t *testing.T, all []*trial, path string) {
	must(t, wait(t.Context(), 2*time.Second+2*fixGrace)) // older than the grace period; orphans are over
	prev, cur := twoLooks(t)
	for _, x := range all {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			x.try(t, prev, cur, viewOf(t, path))
		})
	}
}

func (x *trial) try(t *testing.T, prev, cur *observe.Snapshot, view kernelView) {
	plan := planFor(prev, cur, x.program, remedy.Options{
		Degree: x.degree, Probes: remedy.Probes{Idle: remedy.Seconds(time.Second), Interval: remedy.Seconds(time.Second), Count: 3},
	})
	before := x.program.Record()
	if x.want.untouched() {
		if plan.Acts() > 0 || !strings.Contains(whys(plan), x.want.why) {
			t.Errorf("%d acts are planned; reasons: %s", plan.Acts(), whys(plan))
		}
		for i := range before {
			if c := &before[i]; c.Culprit && c.State.HalfClosed() && !c.MPTCP {
				if row, ok := view.row(c); !ok && c.Inode != 0 || ok && row.State != c.State {
					t.Errorf("%s is %v now, listed %v", describe(c), row.State, ok)
				}
			}
		}
		return
	}
	if plan.Acts() != 3 {
		t.Fatalf("%d acts are planned; reasons: %s", plan.Acts(), whys(plan))
	}
	patience := 20 * time.Second
	if x.want.outcome == remedy.StillThere {
		patience = time.Second
	}
	done := carryOut(t, plan, patience)
	for i := range done.Results {
		r := &done.Results[i]
		if r.Outcome != x.want.outcome || !strings.Contains(r.Why, x.want.why) {
			t.Errorf("%v: %s %s %s", r.Act.Socket.Local, r.Outcome, r.Kind, r.Why)
		}
		if len(r.Act.Socket.Holders) > 0 && r.Descriptor != remedy.Held {
			t.Errorf("the descriptor is %q: only the application can close it", r.Descriptor)
		}
	}
	for i := range before {
		x.sides(t, view, &before[i])
	}
}

// sides checks one side's end as the kernel has it.
func (x *trial) sides(t *testing.T, view kernelView, c *misbehave.Conn) {
	t.Helper()
	want := tcp.State(0)
	switch {
	case x.want.outcome == remedy.StillThere, c.Leg != "main": // a relay's other leg is ESTABLISHED
		return
	case !c.Culprit:
		want = x.want.peer
	}
	within(t, 20*time.Second, fmt.Sprintf("%s, culprit %v: want state %d", describe(c), c.Culprit, want), func() bool {
		row, listed := view.row(c)
		if listed && row.State == tcp.TimeWait {
			return want == 0
		}
		return listed == (want != 0) && (!listed || row.State == want)
	})
}

func whys(plan *remedy.Plan) string {
	var b strings.Builder
	for _, p := range plan.Parts {
		b.WriteString(p.Why + "; ")
	}
	return b.String()
}
