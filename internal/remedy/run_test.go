package remedy

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/tcp"
)

func runner(h Hand) (*Runner, *stillClock, *[]Result) {
	clock, log := &stillClock{noon}, &[]Result{}
	return &Runner{Hand: h, Clock: clock, Settle: 2 * time.Second, Record: func(r *Result) error {
		*log = append(*log, *r)
		return nil
	}}, clock, log
}

func ending(*Act) (Change, error) {
	return Change{Before: Sight{State: tcp.CloseWait}, After: Sight{State: tcp.Closed}}, nil
}

func TestRunKeepsTheRate(t *testing.T) {
	h := &fakeHand{act: ending, held: true}
	r, clock, log := runner(h)
	r.Rate = 10
	done, err := r.Run(t.Context(), planFor(look(noon, 21), Options{Degree: Shutdown}))
	if err != nil || done.Counts[DidEnd] != 21 || len(*log) != 21 || done.Failures() != 0 {
		t.Errorf("%v, %v, %d recorded", err, done.Counts, len(*log))
	}
	if took := clock.now.Sub(noon); took != 2*time.Second {
		t.Errorf("21 acts at 10 a second took %v", took)
	}
	if done.Results[0].Descriptor != Held || done.Owners[0] != (OwnerChange{server, 40, 40}) {
		t.Errorf("descriptor %q, owners %+v", done.Results[0].Descriptor, done.Owners)
	}
}

// What is said of each act, by what the hand and the kernel answered.
func TestOutcomes(t *testing.T) {
	lastAck := Change{Before: Sight{State: tcp.CloseWait}, After: Sight{State: tcp.LastAck}}
	for _, row := range []struct {
		name    string
		degree  Degree
		change  Change
		err     error
		look    Sight
		gone    bool
		outcome Outcome
		why     string
	}{
		{"ends at once", Destroy, Change{Before: Sight{State: tcp.CloseWait}}, nil, Sight{}, true, DidEnd, ""},
		{"ends a little later", Shutdown, lastAck, nil, Sight{}, true, DidEnd, ""},
		{"a silent peer", Shutdown, lastAck, nil, Sight{State: tcp.LastAck}, false, StillThere, "has not acknowledged the FIN"},
		{"the peer answers", KeepAlive, Change{Before: Sight{State: tcp.CloseWait, LastAck: time.Hour}, After: Sight{State: tcp.CloseWait}}, nil,
			Sight{State: tcp.CloseWait, LastAck: time.Millisecond}, false, StillThere, "the peer answers probes"},
		{"no answer yet", KeepAlive, Change{Before: Sight{State: tcp.CloseWait, LastAck: time.Hour}, After: Sight{State: tcp.CloseWait}}, nil,
			Sight{State: tcp.CloseWait, LastAck: time.Hour, Unanswered: 1}, false, StillThere, "the peer is silent: it ends 60 s after"},
		{"was gone", Shutdown, Change{}, refusing(Ended, "the connection has ended"), Sight{}, true, WasGone, "has ended"},
		{"passed on", Shutdown, Change{}, refusing(Ended, "the process has closed the descriptor"), Sight{State: tcp.CloseWait}, false, Refused, "something else holds it"},
		{"closed, its FIN on the way", Shutdown, Change{}, refusing(Ended, "the process has closed the descriptor"), Sight{State: tcp.LastAck}, false, WasGone, ""},
		{"on already", KeepAlive, Change{}, refusing(Enough, "already so"), Sight{}, false, AlreadySo, "already so"},
		{"in use by now", Destroy, Change{}, refusing(Changed, "in use"), Sight{}, false, Refused, "in use"},
		{"not allowed", Destroy, Change{}, refusing(Denied, "needs CAP_NET_ADMIN"), Sight{}, false, Refused, "CAP_NET_ADMIN"},
		{"something else", Destroy, Change{}, errors.New("no such luck"), Sight{}, false, Refused, "no such luck"},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := &fakeHand{act: func(*Act) (Change, error) { return row.change, row.err }, look: func(*Act) (Sight, error) {
				if row.gone {
					return Sight{}, refusing(Ended, "")
				}
				return row.look, nil
			}}
			r, _, _ := runner(h)
			done, err := r.Run(t.Context(), planFor(look(noon, 1), Options{Degree: row.degree}))
			if err != nil || len(done.Results) != 1 {
				t.Fatalf("%v, %+v", err, done)
			}
			got := done.Results[0]
			if got.Outcome != row.outcome || !strings.Contains(got.Why, row.why) {
				t.Errorf("%s %q, want %s %q", got.Outcome, got.Why, row.outcome, row.why)
			}
		})
	}
}

// A kernel that can't is asked once.
func TestUnsupportedIsAskedOnce(t *testing.T) {
	h := &fakeHand{act: func(*Act) (Change, error) { return Change{}, refusing(Unsupported, "no INET_DIAG_DESTROY") }}
	r, _, log := runner(h)
	done, err := r.Run(t.Context(), planFor(look(noon, 50), Options{Degree: Destroy}))
	if err != nil || len(h.acted) != 1 || done.Counts[Refused] != 50 || len(*log) != 50 {
		t.Errorf("asked %d times, outcomes %v, %v", len(h.acted), done.Counts, err)
	}
}

// No act without a record of it.
func TestWhatCantBeRecordedEndsTheRun(t *testing.T) {
	h := &fakeHand{act: ending}
	r, _, _ := runner(h)
	full := errors.New("no space left")
	r.Record = func(*Result) error { return full }
	done, err := r.Run(t.Context(), planFor(look(noon, 5), Options{Degree: Shutdown}))
	if !errors.Is(err, full) || len(h.acted) != 1 || done.Counts[NotReached] != 4 {
		t.Errorf("%v; acted on %v, outcomes %v", err, h.acted, done.Counts)
	}
}

// Ctrl-C: nothing more is done, and what was done is told.
func TestInterruptedRunTellsWhatWasDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	h := &fakeHand{}
	h.act = func(a *Act) (Change, error) {
		if len(h.acted) == 3 {
			cancel()
		}
		return ending(a)
	}
	r, _, log := runner(h)
	done, err := r.Run(ctx, planFor(look(noon, 10), Options{Degree: Shutdown}))
	if err != nil || done.Counts[DidEnd] != 3 || done.Counts[NotReached] != 7 || !done.Interrupted || len(*log) != 3 {
		t.Errorf("%v, outcomes %v, %d recorded", err, done.Counts, len(*log))
	}
}

// What was not known yet when the act was recorded is told at the end, once.
func TestRunTellsWhatCameOfIt(t *testing.T) {
	lastAck := Change{Before: Sight{State: tcp.CloseWait}, After: Sight{State: tcp.LastAck}}
	for _, row := range []struct {
		name   string
		change Change
		err    error
		told   []Outcome
	}{
		{"ended at once", Change{Before: Sight{State: tcp.CloseWait}}, nil, nil},
		{"ended later", lastAck, nil, []Outcome{DidEnd}},
		{"refused", Change{}, refusing(Denied, "no"), nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := &fakeHand{act: func(*Act) (Change, error) { return row.change, row.err }, look: func(*Act) (Sight, error) {
				return Sight{}, refusing(Ended, "")
			}}
			r, _, log := runner(h)
			var told []Outcome
			r.Conclude = func(res *Result) error {
				told = append(told, res.Outcome)
				return nil
			}
			plan := planFor(look(noon, 1), Options{Degree: Shutdown})
			plan.Parts[0].Acts[0].Socket.Holders = nil // whether a descriptor is open is news of its own
			if _, err := r.Run(t.Context(), plan); err != nil || !slices.Equal(told, row.told) || len(*log) != 1 {
				t.Errorf("%v; told %v, want %v; recorded %+v", err, told, row.told, *log)
			}
			if first := (*log)[0].Outcome; (first == Pending) != (len(row.told) > 0) {
				t.Errorf("recorded as %s", first)
			}
			full := errors.New("no space left")
			r.Conclude = func(*Result) error { return full }
			if done, err := r.Run(t.Context(), plan); errors.Is(err, full) != (len(row.told) > 0) || len(done.Results) != 1 {
				t.Errorf("error is %v", err)
			}
		})
	}
}
