package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/sim"
	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/scenario"
)

// partVariable makes this binary play a part instead of running tests.
const partVariable = "CLOSEWAIT_LAB_TEST"

// The parts.
const (
	partReenter = "reenter" // plays a story, without privilege
	partHang    = "hang"    // plays half a story, says so, and never ends
)

func TestMain(m *testing.M) {
	Child()
	switch os.Getenv(partVariable) {
	case partReenter:
		os.Exit(reentered())
	case partHang:
		os.Exit(hang())
	}
	os.Exit(m.Run())
}

// about are the library's stories that Linux is asked about.
func about(t testing.TB) []*scenario.Story {
	t.Helper()
	all, err := scenario.Load()
	if err != nil {
		t.Fatal(err)
	}
	var ours []*scenario.Story
	for _, s := range all {
		if s.About("linux-kernel", "linux") {
			ours = append(ours, s)
		}
	}
	return ours
}

// TestLibraryHoldsOnTheKernel plays the stories of all claims, several at once.
// What a story says of linux is as binding here as on the model.
func TestLibraryHoldsOnTheKernel(t *testing.T) {
	t.Parallel()
	privilege.Need(t, "the claims on this kernel")
	stories := about(t)
	began := time.Now()
	played := 0
	err := PlayAll(t.Context(), stories, Options{}, 0, func(i int, r *Run, err error) {
		played++
		t.Run(stories[i].File, func(t *testing.T) {
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range r.Failures {
				t.Error(f)
			}
			if v, ok := stories[i].VerdictFor(r.Names...); ok && v.Holding == scenario.DoesNotHold && !r.Apart {
				t.Errorf("it says that its claim does not hold on Linux, and shows no difference")
			}
			if r.Took > time.Minute {
				t.Errorf("took %v", r.Took)
			}
			t.Logf("%v of the story in %v; %q", r.Ended, r.Took, r.Notes)
		})
	})
	if err != nil || played != len(stories) {
		t.Errorf("played %d of %d stories: %v", played, len(stories), err)
	}
	if took := time.Since(began); took > 4*time.Minute { // 6 s on an idle machine
		t.Errorf("all stories took %v", took)
	}
}

// TestGivingUpTakesAsLongAsOnTheModel: C13, with all of tcp_retries2's fifteen
// retransmissions. The kernel's 15 seconds are as many minutes of the story.
func TestGivingUpTakesAsLongAsOnTheModel(t *testing.T) {
	t.Parallel()
	privilege.Need(t, "a story on this kernel")
	src, _ := scenario.Source("c13-every-rst-lost")
	s := parse(t, string(src))
	m, err := sim.Play(s, model.Linux())
	if err != nil {
		t.Fatal(err)
	}
	// Half a percent of a quarter of an hour is 75 ms of the world's: on a busy machine the
	// kernel's timers may be late by more, and once more is tried.
	for tries := 4; ; tries-- {
		r, err := Play(t.Context(), s, Options{Patient: true})
		if err != nil {
			t.Fatal(err)
		}
		near := (r.Ended-m.Ended).Abs() <= m.Ended/200 && r.Took <= 20*time.Second
		if near && r.Holds() {
			return
		}
		if said := fmt.Sprintf("given up after %v (%v in the world), on the model after %v; %v", r.Ended, r.Took, m.Ended, r.Failures); tries == 0 {
			t.Fatal(said)
		} else {
			t.Log(said)
		}
	}
}

// TestAStoryThatTakesTooLongIsGivenUp, and the error says so.
func TestAStoryThatTakesTooLongIsGivenUp(t *testing.T) {
	privilege.Need(t, "a story on this kernel")
	s := parse(t, "local and remote are connected\nremote closes\nwait until remote gone, at most 2m")
	_, err := Play(t.Context(), s, Options{Latest: 500 * time.Millisecond})
	if want := "x.story takes longer than 500ms here"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

// TestStepsTellTheStoryLineByLine: what was called, what it returned, what went
// over the wire, and how both hosts looked then.
func TestStepsTellTheStoryLineByLine(t *testing.T) {
	r := holds(t, `local and remote are connected
remote closes
local reads → 0
local writes 10 → 10
expect local CLOSED held; remote gone
`)
	var told string
	for _, s := range r.Steps() {
		told += fmt.Sprintf("%d %s %v %d %v %v\n", s.Line, s.Call, s.Return, len(s.Sent), s.Seen[0].State, s.Seen[1].State)
	}
	const want = `1 listens ok 0 CLOSED CLOSED
1 connects ok 3 ESTABLISHED ESTABLISHED
1 accepts ok 0 ESTABLISHED ESTABLISHED
2 closes ok 2 CLOSE_WAIT FIN_WAIT_2
3 reads 0 0 CLOSE_WAIT FIN_WAIT_2
4 writes 10 10 2 CLOSED CLOSED
5 op 0 ok 0 CLOSED CLOSED
`
	if told != want {
		t.Errorf("told:\n%swant:\n%s", told, want)
	}
}

// reentered is the part of TestAnOrdinaryUserPlaysAStory.
func reentered() int {
	status, again, err := Reenter(context.Background())
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 4
	case again:
		return status
	}
	src, _ := scenario.Source("c12-a-lost-rst-is-drawn-again")
	s, err := scenario.Parse("c12.story", src)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 5
	}
	r, err := Play(context.Background(), s, Options{Pcap: io.Discard})
	if err != nil || !r.Holds() {
		fmt.Fprintln(os.Stderr, err, r)
		return 6
	}
	return 7
}
