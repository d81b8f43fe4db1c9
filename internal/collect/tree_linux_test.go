package collect

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

func TestMain(m *testing.M) {
	misbehave.Child()
	os.Exit(m.Run())
}

// tree looks until ok, and then once more: the second time by asking for what the
// first one told.
func tree(t *testing.T, ok func(*observe.Snapshot) bool) {
	t.Helper()
	family := NewTree(Options{}, os.Getpid())
	defer family.Close()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		snap, err := family.Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if ok(snap) && ok(again(t, family)) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not seen within 30 s: %+v", snap.Sockets)
		}
	}
}

func again(t *testing.T, family *Tree) *observe.Snapshot {
	t.Helper()
	snap, err := family.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// A tree shows what its processes hold, in whatever way they misbehave.
func TestATreeShowsWhatItsProcessesHold(t *testing.T) {
	for kind, want := range map[misbehave.Kind]tcp.State{
		misbehave.EOFUnread:         tcp.CloseWait,
		misbehave.EOFIgnoredInbound: tcp.CloseWait,
		misbehave.DataUnread:        tcp.CloseWait,
		misbehave.PeerKeepsOpen:     tcp.FinWait2,
		misbehave.MaskedReset:       tcp.Closed,
	} {
		t.Run(string(kind), func(t *testing.T) {
			p, err := misbehave.Start(t.Context(), misbehave.Spec{Kind: kind, Count: 3})
			if err != nil {
				t.Fatal(err)
			}
			defer stop(t, p)
			tree(t, func(snap *observe.Snapshot) bool {
				n := 0
				for i := range snap.Sockets {
					s := &snap.Sockets[i]
					if s.State == want && (want != tcp.Closed || s.Dead()) && slices.ContainsFunc(s.Holders, func(h observe.Holder) bool { return slices.Contains(p.PIDs(), int(h.PID)) }) {
						n++
					}
				}
				described := slices.ContainsFunc(snap.Processes, func(x observe.Process) bool { return slices.Contains(p.PIDs(), x.PID) })
				return n == 3 && described && len(snap.Limits) == 0
			})
		})
	}
}

// A connection that nobody accepts belongs to the listener, which is shown with
// who holds it.
func TestATreeShowsWhatIsNeverAccepted(t *testing.T) {
	p, err := misbehave.Start(t.Context(), misbehave.Spec{Kind: misbehave.NeverAccepted, Count: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, p)
	port := p.Service().Port()
	tree(t, func(snap *observe.Snapshot) bool {
		waiting, listening := 0, 0
		for i := range snap.Sockets {
			switch s := &snap.Sockets[i]; {
			case s.Local.Port() != port:
			case s.State == tcp.CloseWait && s.Inode == 0:
				waiting++
			case s.State == tcp.Listen && len(s.Holders) > 0 && s.RecvQ == 3:
				listening++
			}
		}
		return waiting == 3 && listening == 1
	})
}

// A connection that dies is seen dead by the next look, and one that is closed is
// seen no more.
func TestATreeFollowsAConnection(t *testing.T) {
	p, err := misbehave.Start(t.Context(), misbehave.Spec{Kind: misbehave.EOFUnread, Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, p)
	family := NewTree(Options{}, os.Getpid())
	defer family.Close()
	count := func(state tcp.State) (n int) {
		snap := again(t, family)
		for i := range snap.Sockets {
			if s := &snap.Sockets[i]; s.State == state && len(s.Holders) > 0 && slices.Contains(p.PIDs(), int(s.Holders[0].PID)) {
				n++
			}
		}
		return n
	}
	for deadline := time.Now().Add(30 * time.Second); count(tcp.CloseWait) != 2; {
		if time.Now().After(deadline) {
			t.Fatal("2 connections are not seen within 30 s")
		}
	}
	if err := p.Write(1); err != nil { // draws a RST
		t.Fatal(err)
	}
	if alive, dead := count(tcp.CloseWait), count(tcp.Closed); alive != 0 || dead != 2 {
		t.Errorf("after the RST %d live and %d dead, want 0 and 2", alive, dead)
	}
	if err := p.CloseAll(); err != nil {
		t.Fatal(err)
	}
	if alive, dead := count(tcp.CloseWait), count(tcp.Closed); alive != 0 || dead != 0 {
		t.Errorf("after the close %d live and %d dead", alive, dead)
	}
}

// Between dumps the known sockets are asked for alone: that is what makes it
// possible to look every few milliseconds.
func TestATreeDumpsOnlyForWhatIsNew(t *testing.T) {
	p, err := misbehave.Start(t.Context(), misbehave.Spec{Kind: misbehave.EOFUnread, Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, p)
	family := NewTree(Options{}, os.Getpid())
	defer family.Close()
	dumps, looks := 0, 200
	for range looks {
		before := family.dumped
		again(t, family)
		if family.dumped != before {
			dumps++
		}
	}
	if dumps > looks/10 {
		t.Errorf("%d of %d looks were dumps", dumps, looks)
	}
}

func BenchmarkTreeLook(b *testing.B) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	t := NewTree(Options{}, os.Getpid())
	defer t.Close()
	for b.Loop() {
		if _, err := t.Look(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func stop(t *testing.T, p *misbehave.Program) {
	t.Helper()
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}
