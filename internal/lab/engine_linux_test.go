package lab

import (
	"testing"
	"time"

	"github.com/closewait/closewait/internal/privilege"
)

// holds plays a story on the kernel, where all that it expects has to come true.
func holds(t *testing.T, src string) *Run {
	t.Helper()
	privilege.Need(t, "a story on this kernel")
	r, err := Play(t.Context(), parse(t, src), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Failures {
		t.Error(f)
	}
	t.Logf("took %v for %v; %q", r.Took, r.Ended, r.Notes)
	return r
}

func TestLinkLosesWhatTheRuleSays(t *testing.T) {
	t.Parallel()
	holds(t, `
local and remote are connected
the link loses the 2nd data segment from local
local writes 1
local writes 2
local writes 3
expect wire local→remote 1 byte, 2 bytes lost, 3 bytes
remote reads → 6  # by RACK, and not only by the retransmission timer

the link loses the first 2 FINs
local closes
wait 10s
expect wire local→remote FIN lost, FIN again lost, FIN again; remote→local ACK
expect local FIN_WAIT_2; remote CLOSE_WAIT

the link loses everything from remote
remote closes
wait 1s
expect wire remote→local FIN lost, FIN again lost
the link recovers
wait 1m
expect wire remote→local FIN again
expect remote gone
`)
}

// TestRulesAreAskedInOrder: each counts what reaches it.
func TestRulesAreAskedInOrder(t *testing.T) {
	t.Parallel()
	holds(t, `
local and remote are connected
the link loses the first data segment
the link loses the first data segment
local writes 1
local writes 1
local writes 1
expect wire local→remote 2 bytes lost, 1 byte
`)
}

func TestLinkDuplicatesAndDelays(t *testing.T) {
	t.Parallel()
	r := holds(t, `
local and remote are connected
the link duplicates the first FIN from remote
remote closes
expect local CLOSE_WAIT with recv-q 1
expect wire remote→local FIN; local→remote ACK, ACK
`)
	copies := 0
	for _, e := range r.Events {
		copies += e.Packet.Copies
	}
	if copies != 1 {
		t.Errorf("%d copies, want 1", copies)
	}
	holds(t, `
local and remote are connected
the link delays the first RST from remote by 30s
remote aborts
expect local ESTABLISHED; remote gone
wait 29s
expect local ESTABLISHED; remote gone
wait 1s
expect local CLOSED held; remote gone
expect wire remote→local RST
`)
}

func TestSimultaneousOpenAndClose(t *testing.T) {
	t.Parallel()
	holds(t, `
# Both hosts connect, and later both close, before either hears of the other.
the link loses the first SYN from local
local connects → EINPROGRESS
expect local SYN_SENT
remote connects
expect local ESTABLISHED; remote ESTABLISHED

the link loses the first FIN from local
local closes
remote closes
expect local CLOSING
wait 2s
expect local TIME_WAIT; remote TIME_WAIT
wait 2m
expect local gone; remote gone
`)
}

// TestEveryCallCanBeTold plays each word of the language once.
func TestEveryCallCanBeTold(t *testing.T) {
	t.Parallel()
	holds(t, `
local connects → ECONNREFUSED
local closes
local reads → EBADF
remote accepts → EBADF
remote listens
remote listens → EADDRINUSE
expect local gone; remote LISTEN
local connects
local sets keepalive on idle 1h every 1m probes 3
local sets keepalive off
local sets user-timeout 30s
local sets linger2 never
remote tunes retries 3
remote tunes fin-wait-2 30s
expect local ESTABLISHED held; remote ESTABLISHED held by nobody
remote accepts
remote accepts → EAGAIN
remote stops listening
expect remote ESTABLISHED held
local reads → EAGAIN
local writes until blocked → some
expect local with timer probe
remote reads → some
remote reads → ?
local shuts down writing
local shuts down both → ok
local destroys
local exits
expect local gone
remote aborts → ?
expect remote gone
`)
}

// TestTheRealPaceIsTheWorlds: nothing is shortened, and a second takes a second.
func TestTheRealPaceIsTheWorlds(t *testing.T) {
	t.Parallel()
	privilege.Need(t, "a story on this kernel")
	s := parse(t, `
remote tunes fin-wait-2 1s
local and remote are connected
remote closes
wait until remote gone, at most 1m
expect local CLOSE_WAIT forever; remote gone
wait 1h
`)
	r, err := Play(t.Context(), s, Options{Pace: RealPace()})
	if err != nil {
		t.Fatal(err)
	}
	if told := r.Ended - time.Hour; !r.Holds() || told < 900*time.Millisecond || told > r.Took || len(r.Notes) > 0 {
		t.Errorf("%v of the story in %v, %v, %q", r.Ended, r.Took, r.Failures, r.Notes)
	}
}

// TestResetForgetsTheStoryBefore: the same engine plays one story after another.
func TestResetForgetsTheStoryBefore(t *testing.T) {
	t.Parallel()
	privilege.Need(t, "an engine on this kernel")
	e, err := NewEngine(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer closes(t, e)
	s := parse(t, `
expect local gone; remote gone
local and remote are connected
the link loses everything from remote
local writes 10
remote closes
expect local ESTABLISHED held with send-q 10; remote gone
local reads → EAGAIN
local closes
`)
	for range 5 {
		r, err := e.Play(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Failures {
			t.Error(f)
		}
		if err := e.Reset(PaceOf(s)); err != nil {
			t.Fatal(err)
		}
	}
}

func closes(t testing.TB, e *Engine) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkNewEngine(b *testing.B) {
	privilege.Need(b, "what an engine costs")
	for b.Loop() {
		e, err := NewEngine(b.Context(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		closes(b, e)
	}
}

// BenchmarkStory plays a short story on an engine that is reset for each.
func BenchmarkStory(b *testing.B) {
	privilege.Need(b, "what a story costs")
	e, err := NewEngine(b.Context(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer closes(b, e)
	s := parse(b, "local and remote are connected\nremote writes 10\nremote closes\nlocal reads → 10\nlocal closes")
	for b.Loop() {
		if _, err := e.Play(s); err != nil {
			b.Fatal(err)
		}
		if err := e.Reset(PaceOf(s)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReset(b *testing.B) {
	privilege.Need(b, "what a reset costs")
	e, err := NewEngine(b.Context(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer closes(b, e)
	for b.Loop() {
		if err := e.Reset(PaceOf(nil)); err != nil {
			b.Fatal(err)
		}
	}
}
