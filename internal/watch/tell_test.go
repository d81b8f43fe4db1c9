package watch

import (
	"testing"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// sensed is a scene with an exact source, in which connection 1 got its FIN at a
// moment after the first look.
func sensed(t *testing.T, shortest time.Duration) (*scene, time.Time) {
	s := newScene(t, Options{Sensor: true, Shortest: shortest})
	s.look()
	fin := s.now.Add(-1234567 * time.Microsecond)
	s.history = map[uint64]*observe.History{1: {HalfClosed: fin, FINReceived: true, OpenedBy: 1}}
	return s, fin
}

// told has the sensor tell of connection 1. Held: a descriptor remained.
func (s *scene) told(kind observe.HappeningKind, at time.Time, h observe.History, held bool) []Event {
	if old := s.history[1]; old != nil && h.HalfClosed.IsZero() {
		h.HalfClosed, h.FINReceived = old.HalfClosed, true
	}
	return s.journal.Tell(&observe.Happening{Kind: kind, At: at, NetNS: 1, Cookie: 1, History: h, Held: held, PID: 7, Comm: "horizon"})
}

func TestAnExactFINHasItsExactTime(t *testing.T) {
	s, fin := sensed(t, time.Second)
	events := s.look(s.conn(1, tcp.CloseWait, 1, fin))
	s.want(events, "fin-received")
	if e := events[0]; !e.At.Equal(fin) || e.WithinS != 0 || e.Source != FromSensor || e.OpenedBy[0].Function != "connect_all" {
		t.Errorf("%+v, want exactly %v", e, fin)
	}
}

func TestAFINWaitsUntilItIsOldEnoughToTell(t *testing.T) {
	s, fin := sensed(t, 3*time.Second)
	s.want(s.look(s.conn(1, tcp.CloseWait, 1, fin)), "")
	s.want(s.look(s.conn(1, tcp.CloseWait, 1, fin)), "fin-received")
}

func TestAnExactZeroReadIsToldAtOnceAndOnce(t *testing.T) {
	s, fin := sensed(t, 0)
	s.look(s.conn(1, tcp.CloseWait, 1, fin))
	zero := s.now.Add(-time.Second)
	events := s.told(observe.HappenedZero, zero, observe.History{Zero: zero}, false)
	s.want(events, "zero-read(certain)")
	if !events[0].At.Equal(zero) {
		t.Errorf("at %v, want %v", events[0].At, zero)
	}
	s.history[1].Zero = zero
	s.want(s.look(s.conn(1, tcp.CloseWait, 0, fin)), "")
}

// The last read took data and the FIN at once: nobody saw a zero (C2).
func TestTheSensorKnowsThatNoReadReturnedZero(t *testing.T) {
	s, fin := sensed(t, 0)
	s.look(s.conn(1, tcp.CloseWait, 11, fin))
	s.want(s.look(s.conn(1, tcp.CloseWait, 0, fin)), "")
}

func TestAnExactEndIsToldAtOnceAndOnce(t *testing.T) {
	for _, end := range []observe.End{
		observe.EndClosed, observe.EndExited, observe.EndReset, observe.EndKeepalive, observe.EndRetransmitted, observe.EndDestroyed,
		observe.EndListener, observe.EndPeer, observe.EndOther,
	} {
		t.Run(string(end), func(t *testing.T) {
			s, fin := sensed(t, 0)
			s.look(s.conn(1, tcp.CloseWait, 1, fin))
			at := s.now.Add(-time.Second)
			events := s.told(observe.HappenedEnd, at, observe.History{Ended: at, End: end}, false)
			s.want(events, "ended:"+string(end)+"(certain)")
			want := at.Sub(fin).Seconds()
			if e := events[0]; !e.At.Equal(at) || e.HalfClosed.AtLeastS != want || *e.HalfClosed.AtMostS != want || endWords[end] == "" {
				t.Errorf("%+v, half-closed for %+v, want %v s", e, e.HalfClosed, want)
			}
			s.history = nil
			s.want(s.look(), "")
			s.want(s.look(), "")
		})
	}
}

// C8: the RST hid the leak; a look sees that the descriptor is still open.
func TestAnEndThatLeavesTheDescriptorIsMasked(t *testing.T) {
	s, fin := sensed(t, 0)
	s.look(s.conn(1, tcp.CloseWait, 1, fin))
	rst := s.now.Add(-time.Second)
	m := observe.History{Ended: rst, End: observe.EndReset}
	s.want(s.told(observe.HappenedEnd, rst, m, true), "")
	m.HalfClosed = fin
	s.history[1] = &m
	events := s.look(s.dead(1))
	s.want(events, "masked:reset(certain)")
	if !events[0].At.Equal(rst) || events[0].Source != FromSensor {
		t.Errorf("%+v, want the time of the RST, %v", events[0], rst)
	}
	s.want(s.told(observe.HappenedRelease, s.now, m, true), "released")
	s.want(s.look(), "")
	s.want(s.look(), "")
}

func TestADescriptorClosedAtOnceWasNotMasked(t *testing.T) {
	s, fin := sensed(t, 0)
	s.look(s.conn(1, tcp.CloseWait, 1, fin))
	rst := s.now.Add(-time.Second)
	m := observe.History{Ended: rst, End: observe.EndReset}
	s.want(s.told(observe.HappenedEnd, rst, m, true), "")
	s.want(s.told(observe.HappenedRelease, rst.Add(time.Millisecond), m, true), "ended:reset(certain)")
	s.want(s.look(), "")
}

func TestWhatTheSensorMissedTheLooksTellLater(t *testing.T) {
	s, fin := sensed(t, 0)
	s.look(s.conn(1, tcp.CloseWait, 1, fin))
	s.want(s.look(), "")
	s.want(s.look(), "ended:closed(likely)")
}

func TestWhatComesAndGoesBetweenTwoLooks(t *testing.T) {
	for name, c := range map[string]struct {
		half     time.Duration
		narrowed bool
		want     string
	}{
		"long enough":              {1500 * time.Millisecond, false, "ended:closed(certain)"},
		"for a moment":             {time.Millisecond, false, ""},
		"of another part, perhaps": {1500 * time.Millisecond, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, Options{Sensor: true, Shortest: time.Second, Narrowed: c.narrowed})
			s.look()
			s.want(s.told(observe.HappenedEnd, s.now, observe.History{HalfClosed: s.now.Add(-c.half), Ended: s.now, End: observe.EndClosed}, false), c.want)
		})
	}
}

func TestLostEventsAreTold(t *testing.T) {
	s, _ := sensed(t, 0)
	events := s.journal.Tell(&observe.Happening{Kind: observe.HappenedLost, At: noon, Lost: 12})
	s.want(events, "dropped")
	if events[0].Count != 12 {
		t.Error(events[0].Count)
	}
}

func TestBeforeTheFirstLookNothingIsTold(t *testing.T) {
	s := newScene(t, Options{Sensor: true})
	s.want(s.told(observe.HappenedEnd, noon, observe.History{HalfClosed: noon.Add(-time.Hour), Ended: noon, End: observe.EndClosed}, false), "")
	s.want(s.look([]observe.Socket{}...), "began")
}
