package e2e

import (
	"testing"
	"time"

	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/privilege"
)

// grace is short enough to wait for, and long enough for a pulse of data every
// 100 ms to be seen within it on a busy machine.
const grace = 1500 * time.Millisecond

// settled is how old connections are when they are looked at: a retransmission's
// back-off must have outlasted the grace period (0.2 + 0.4 + 0.8 + 1.6 s).
const settled = 2*grace + 500*time.Millisecond

// TestCauses: one row per kind, family, namespace and reader. All programs of a
// namespace run at once, so that each look is at all of them; every row must find
// its own and nothing else.
func TestCauses(t *testing.T) {
	t.Run("own namespace", func(t *testing.T) {
		t.Parallel()
		checkAll(t, populate(t, ownSpace(t), everyKind()))
	})
	t.Run("named namespace", func(t *testing.T) {
		t.Parallel()
		s := newSpace(t)
		s.mount(t, "closewait-e2e")
		p := populate(t, s, everyKind())
		s.release(t)
		checkAll(t, p)
	})
	t.Run("namespace of a process", func(t *testing.T) {
		t.Parallel()
		s := newSpace(t)
		p := populate(t, s, []misbehave.Spec{
			{Kind: misbehave.NeverAccepted, Count: 3}, {Kind: misbehave.EOFUnread, Count: 3, IPv6: true},
			{Kind: misbehave.MaskedReset, Count: 3}, {Kind: misbehave.OrphanDraining, Count: 3},
			{Kind: misbehave.FinUnackedOrphan, Count: 3}, {Kind: misbehave.EOFUnreadMPTCP, Count: 3},
		})
		s.release(t)
		checkAll(t, p)
	})
}

// everyKind is one program of each kind and family, and some with dual-stack
// sockets.
func everyKind() []misbehave.Spec {
	var specs []misbehave.Spec
	for _, k := range misbehave.Kinds() {
		if k == misbehave.Churn {
			continue // TestOwners
		}
		for _, v6 := range []bool{false, true} {
			specs = append(specs, misbehave.Spec{Kind: k, Count: 3, IPv6: v6})
		}
	}
	for _, k := range []misbehave.Kind{misbehave.EOFUnread, misbehave.EOFUnreadInbound, misbehave.NeverAccepted, misbehave.MaskedWrite} {
		specs = append(specs, misbehave.Spec{Kind: k, Count: 3, Mapped: true})
	}
	return specs
}

// checkAll looks with every reader, checks every program in each look, and holds
// the looks against each other.
func checkAll(t *testing.T, p *population) {
	t.Helper()
	p.age(settled)
	looks := map[string]*observe.Snapshot{}
	for _, reader := range readers() {
		t.Run(reader, func(t *testing.T) {
			if reader == "bpf" {
				privilege.Need(t, "the bpf reader")
			}
			s := look(t, reader)
			looks[reader] = s
			checkEach(t, s, p)
		})
	}
	t.Run("readers agree", func(t *testing.T) {
		if looks["bpf"] == nil {
			privilege.Need(t, "whether both readers give the same snapshot")
			t.Fatal("a reader gave none: see above")
		}
		agree(t, looks["procfs"], looks["bpf"], p)
	})
}

func checkEach(t *testing.T, s *observe.Snapshot, p *population) {
	t.Helper()
	for _, x := range p.players {
		t.Run(x.name, func(t *testing.T) {
			x.here(t)
			check(t, s, x, p.space, grace)
		})
	}
	if privilege.Held() && t.Failed() {
		for _, l := range s.Limits {
			t.Logf("limit %s: %s", l.Code, l.Text)
		}
	}
}
