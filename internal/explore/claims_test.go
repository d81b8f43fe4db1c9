package explore

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// explore runs a search, which has to be exhaustive, with every invariant
// checked and none broken.
func explore(t *testing.T, o Options) *Result {
	t.Helper()
	r, err := Explore(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Complete || r.Cut > 0 {
		t.Fatalf("not exhaustive: complete %v, %d cut, %d states", r.Complete, r.Cut, r.States)
	}
	if r.Checked != len(Invariants()) {
		t.Errorf("%d of %d invariants checked", r.Checked, len(Invariants()))
	}
	for _, v := range r.Violations {
		t.Errorf("%s is broken: %s\n%s", v.Invariant.Name, v.Invariant.Text, v.Path.Steps())
	}
	t.Logf("%s: %d states, %d transitions, %d deep", o.Profiles[0].Name, r.States, r.Transitions, r.Depth)
	return r
}

// documented compares a search within the default bounds with its row of the table in
// docs/model-explore.md, if it has one.
func documented(t *testing.T, name string, r *Result) {
	t.Helper()
	text, err := os.ReadFile("../../docs/model-explore.md")
	if err != nil {
		t.Fatal(err)
	}
	_, row, ok := strings.Cut(string(text), "\n| "+name+" | ")
	if !ok {
		return
	}
	row, _, _ = strings.Cut(row, "\n")
	if want := fmt.Sprintf("%d | %d |", r.States, r.Transitions); !strings.HasPrefix(strings.ReplaceAll(row, ",", ""), want) {
		t.Errorf("docs/model-explore.md says %s of %s, and the search %s", row, name, want)
	}
}

func answer(t *testing.T, r *Result, name string) *Answer {
	t.Helper()
	a, ok := r.Answer(name)
	if !ok {
		t.Fatalf("no question is called %q", name)
	}
	return a
}

func profile(t *testing.T, name string) model.Profile {
	t.Helper()
	p, ok := model.ProfileNamed(name)
	if !ok {
		t.Fatalf("no profile is called %q", name)
	}
	return p
}

// tuned is HP-UX with tcp_fin_wait_2_timeout set.
func tuned() model.Profile {
	p := model.HPUX()
	p.FinWait2.Lasts = model.Minute
	return p
}

// C10, as corrected: Linux sends no RST when an orphan's FIN_WAIT_2 expires, so
// CLOSE_WAIT may last for ever with no packet lost.
func TestOnLinuxCloseWaitLastsForeverWithNothingLost(t *testing.T) {
	r := explore(t, Of(model.Linux()))
	documented(t, "linux", r)
	p := answer(t, r, "stuck-forever").NothingLost
	if p == nil {
		t.Fatal("there is no such story")
	}
	t.Logf("\n%s", p.Steps())
	last := p.Moves[len(p.Moves)-1].After
	if st := last[p.Local].State(); st != tcp.CloseWait {
		t.Errorf("local ends in %v, want CLOSE_WAIT", st)
	}
	if st := last[1-p.Local].State(); st != tcp.Closed {
		t.Errorf("remote ends in %v, want CLOSED", st)
	}
	for _, m := range p.Moves {
		if m.Kind == Lose {
			t.Errorf("%v is lost", m.Segment)
		}
	}
}

// C14: where the timer's expiry sends a RST, that RST's loss leaves nothing to
// end the connection; and nothing else does, whichever way the one fault goes.
func TestWithARSTOnExpiryCloseWaitLastsForeverOnlyIfARSTIsLost(t *testing.T) {
	for _, p := range []model.Profile{model.XNU(), tuned()} {
		t.Run(p.Name, func(t *testing.T) {
			r := explore(t, Of(p))
			documented(t, p.Name, r)
			onlyIfResetLost(t, answer(t, r, "stuck-forever"))
		})
	}
}

// The same with any two losses, as long as segments arrive in their order.
func TestTwoLossesLeaveCloseWaitForeverOnlyIfOneIsARST(t *testing.T) {
	for _, p := range []model.Profile{model.XNU(), tuned()} {
		t.Run(p.Name, func(t *testing.T) {
			o := Of(p)
			o.Bounds = Bounds{Losses: 2}
			onlyIfResetLost(t, answer(t, explore(t, o), "stuck-forever"))
		})
	}
}

// C14 to the letter: nobody aborts, and the one RST of mask 2 is lost.
func TestTheOneRSTOfMask2(t *testing.T) {
	for _, p := range []model.Profile{model.XNU(), tuned()} {
		t.Run(p.Name, func(t *testing.T) {
			o := Of(p)
			o.Bounds.Calls = CallWrite | CallRead | CallClose
			a := answer(t, explore(t, o), "stuck-forever")
			onlyIfResetLost(t, a)
			expiry := false
			for _, m := range a.ResetLost.Moves {
				expiry = expiry || m.Kind == Fire && m.Before[m.Side].State() == tcp.FinWait2 && m.After[m.Side].State() == tcp.Closed
			}
			if !expiry {
				t.Error("FIN_WAIT_2 does not expire in this story")
			}
		})
	}
}

// What two losses can do where every segment out of window is answered, and the
// answers are not limited in number: both FINs are ahead of a gap, and each
// answer is out of the other's window. RFC 5961 §10 and Linux limit them.
func TestTwoLossesMakeAStorm(t *testing.T) {
	for name, want := range map[string]bool{"rfc9293": true, "linux": false} {
		o := Of(profile(t, name))
		o.Bounds = Bounds{Octets: 1, Losses: 2, Calls: CallWrite | CallClose}
		r, err := Explore(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		storm := false
		for _, v := range r.Violations {
			storm = storm || v.Invariant.Name == "no-endless-talk"
			t.Logf("%s: %s\n%s", name, v.Invariant.Name, v.Path.Steps())
		}
		if storm != want {
			t.Errorf("%s: a storm: %v, want %v", name, storm, want)
		}
	}
}

func onlyIfResetLost(t *testing.T, a *Answer) {
	t.Helper()
	if a.NothingLost != nil {
		t.Errorf("CLOSE_WAIT lasts for ever with nothing lost:\n%s", a.NothingLost.Steps())
	}
	if a.NoResetLost != nil {
		t.Errorf("CLOSE_WAIT lasts for ever with no RST lost:\n%s", a.NoResetLost.Steps())
	}
	if a.ResetLost == nil {
		t.Fatal("there is no such story with a RST lost")
	}
	t.Logf("\n%s", a.ResetLost.Steps())
}

// The limit of C14: a RST that overtakes is not lost, but comes at the wrong
// place and is not believed (RFC 5961 §3). With the ACK lost that would have
// drawn another, CLOSE_WAIT lasts for ever with no RST lost.
func TestARSTOutOfItsPlaceIsAsGoodAsLost(t *testing.T) {
	o := Of(model.XNU())
	o.Bounds = Bounds{Losses: 1, Overtakings: 1}
	p := answer(t, explore(t, o), "stuck-forever").NoResetLost
	if p == nil {
		t.Fatal("there is no such story")
	}
	t.Logf("\n%s", p.Steps())
}

// C9, and why FreeBSD's CLOSE_WAITs are masked: with keepalive set by local
// nothing lasts for ever, even with a loss.
func TestKeepaliveEndsCloseWait(t *testing.T) {
	linux := Of(model.Linux())
	linux.KeepAlive = [2]bool{true, true}
	for _, o := range []Options{linux, Of(model.FreeBSD())} {
		o.Bounds = Bounds{Losses: 1}
		r := explore(t, o)
		if p := answer(t, r, "stuck-forever").Shortest(); p != nil {
			t.Errorf("%s: CLOSE_WAIT lasts for ever:\n%s", o.Profiles[0].Name, p.Steps())
		}
		if answer(t, r, "ended-by-rst").NothingLost == nil {
			t.Errorf("%s: no RST ends CLOSE_WAIT", o.Profiles[0].Name)
		}
	}
}

// C9, corrected: while the remote is in FIN_WAIT_2 probes are ACKed. Where that
// state has no end, keepalive does not help.
func TestKeepaliveIsAnsweredForeverWithoutAFinWait2Timer(t *testing.T) {
	o := Of(model.RFC9293())
	o.KeepAlive = [2]bool{true, true}
	o.Bounds = Bounds{Losses: 1}
	p := answer(t, explore(t, o), "stuck-forever").NothingLost
	if p == nil {
		t.Fatal("there is no such story")
	}
	t.Logf("\n%s", p.Steps())
	if !p.Again {
		t.Error("the story ends; want probes and ACKs for ever")
	}
}

// C12 and C13: data draws a RST; if that is lost a retransmission draws another;
// and only if all are lost does the retransmission limit end the connection.
func TestEveryRSTLostEndsByTheRetransmissionLimit(t *testing.T) {
	o := Of(model.Linux())
	sent := 1 + o.Profiles[0].R2
	o.Bounds = Bounds{Octets: 1, Losses: sent - 1, OnlyRSTs: true, Calls: CallWrite | CallRead | CallClose}
	r := explore(t, o)
	if p := answer(t, r, "ended-by-timeout").Shortest(); p != nil {
		t.Errorf("CLOSE_WAIT ended by a limit though a RST came through:\n%s", p.Steps())
	}
	again := answer(t, r, "ended-by-rst").ResetLost
	if again == nil {
		t.Fatal("no RST ends CLOSE_WAIT after another was lost (C12)")
	}
	t.Logf("C12:\n%s", again.Steps())

	o.Bounds.Losses = sent
	all := answer(t, explore(t, o), "ended-by-timeout").ResetLost
	if all == nil {
		t.Fatal("no limit ends CLOSE_WAIT with every RST lost (C13)")
	}
	t.Logf("C13:\n%s", all.Steps())
}

// Every profile, with a loss, from ESTABLISHED and from before the first SYN.
func TestInvariantsHoldOnEveryProfile(t *testing.T) {
	for _, p := range model.Profiles() {
		t.Run(p.Name, func(t *testing.T) {
			o := Of(p)
			o.Bounds = Bounds{Octets: 1, Losses: 1}
			if p.KeepDefault {
				o.Bounds.Losses = 0
			}
			explore(t, o)
		})
		t.Run(p.Name+" opens", func(t *testing.T) {
			o := Of(p)
			o.Handshake = true
			o.Bounds = Bounds{Octets: 1, Losses: 1, Overtakings: 1, Duplicates: 1, Faults: 1, Calls: CallWrite | CallClose | CallAbort | CallRead}
			if p.KeepDefault {
				o.Bounds = Bounds{Losses: 1, Calls: CallClose | CallAbort | CallRead}
			}
			explore(t, o)
		})
	}
}

// Zero windows: as many octets as a receive buffer holds, and nobody has to read.
func TestInvariantsHoldAcrossZeroWindows(t *testing.T) {
	for _, name := range []string{"rfc9293", "linux", "xnu"} {
		t.Run(name, func(t *testing.T) {
			o := Of(profile(t, name))
			o.Bounds = Bounds{Octets: 2, Calls: CallWrite | CallRead | CallClose}
			explore(t, o)
		})
	}
}
