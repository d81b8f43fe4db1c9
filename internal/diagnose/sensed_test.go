package diagnose

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// sensed gives the world a sensor that knows one stack for each place.
func (w *world) sensed(places ...string) *world {
	w.Sensor = &observe.Sensor{Since: w.TakenAt.Add(-time.Hour)}
	for _, p := range places {
		w.Sensor.Stacks = append(w.Sensor.Stacks, observe.Stack{PID: appPID, Frames: []observe.Frame{
			{Function: "__connect", Module: "/lib/libc.so.6"}, {Function: p, File: "/src/" + p + ".c", Line: 7, Module: "/opt/app", Tells: true},
		}})
	}
	return w
}

// remembered gives a socket a history; seconds ago, 0 for never.
func (w *world) remembered(fin, zero, ended float64, edits ...func(*observe.History)) edit {
	ago := func(s float64) time.Time {
		if s == 0 {
			return time.Time{}
		}
		return w.TakenAt.Add(-time.Duration(s * float64(time.Second)))
	}
	return func(s *observe.Socket) {
		s.History = &observe.History{Outbound: true, FINReceived: true, HalfClosed: ago(fin), Zero: ago(zero), Ended: ago(ended)}
		for _, e := range edits {
			e(s.History)
		}
	}
}

func openedBy(n int) func(*observe.History) { return func(h *observe.History) { h.OpenedBy = n } }

func saysOfSensor(f *Finding, text string) bool {
	return slices.ContainsFunc(f.Evidence, func(e Evidence) bool { return e.Source == fromSensor && strings.Contains(e.Fact, text) })
}

func TestSensorTellsTheAge(t *testing.T) {
	for _, r := range []struct {
		name  string
		build func(w *world)
		least float64
		exact bool
	}{
		{"CLOSE_WAIT: since the FIN", func(w *world) { w.add(w.remembered(600, 0, 0)) }, 600, true},
		{"also where keepalives make it look young", func(w *world) {
			w.add(timer(observe.TimerKeepalive, 3, 0), w.remembered(600, 0, 0))
		}, 600, true},
		{"FIN_WAIT_2: since our own", func(w *world) {
			w.add(state(tcp.FinWait2), w.remembered(90, 0, 0, func(h *observe.History) { h.FINReceived = false }))
		}, 90, true},
		{"a dead descriptor: since its end", func(w *world) { w.add(dead, w.remembered(900, 0, 700)) }, 700, true},
		{"a FIN that came during the look", func(w *world) { w.add(w.remembered(-0.01, 0, 0)) }, 0, true},
		{"a FIN before the sensor is a bracket", func(w *world) {
			w.add(quiet(300, 300, 200), w.remembered(0, 0, 0, func(h *observe.History) { h.Older = true }))
		}, 200, false},
	} {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld().sensed()
			r.build(w)
			f := only(t, w.report())
			exact := f.Oldest.AtMostS != nil && *f.Oldest.AtMostS == f.Oldest.AtLeastS
			if f.Oldest.AtLeastS != r.least || exact != r.exact {
				t.Errorf("age %+v, want %v, exact %v", f.Oldest, r.least, r.exact)
			}
		})
	}
}

func TestSensorMakesCertain(t *testing.T) {
	inbound := func(h *observe.History) { h.Outbound, h.Inbound = false, true }
	for _, r := range []struct {
		name  string
		build func(w *world)
		want  Confidence
		says  string
	}{
		{"a read returned zero", func(w *world) { w.add(recvQ(0), w.remembered(600, 599, 0)) }, Certain, "a read returned zero on the one socket"},
		{"the last read took both", func(w *world) { w.add(recvQ(0), w.remembered(600, 0, 0)) }, Likely, "the last read took data and the FIN together"},
		{"a client may wait for its answer", func(w *world) {
			w.add(recvQ(0), quiet(900, 600, 600), carried(100, 0), w.remembered(600, 599, 0, inbound))
		}, Likely, "a read returned zero"},
		{"it was answered", func(w *world) {
			w.add(recvQ(0), quiet(500, 600, 600), carried(100, 10), w.remembered(600, 599, 0, inbound))
		}, Certain, "a read returned zero"},
		{"nobody has asked", func(w *world) { w.add(recvQ(1), w.remembered(600, 0, 0)) }, Certain, "no read has returned zero on the one socket"},
		{"a RST ended it", func(w *world) {
			w.add(dead, w.remembered(900, 0, 700, func(h *observe.History) { h.End = observe.EndReset }))
		}, Certain, "a RST ended the one socket"},
	} {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld().sensed()
			r.build(w)
			if f := only(t, w.report()); f.Confidence != r.want || !saysOfSensor(f, r.says) {
				t.Errorf("%s, and the evidence is %+v", f.Confidence, f.Evidence)
			}
		})
	}
}

// A sensor that can't see zero reads never says that there was none.
func TestBlindSensorSaysNothingOfZeros(t *testing.T) {
	w := newWorld().sensed()
	w.Sensor.Blind = true
	w.add(recvQ(0), w.remembered(600, 0, 0))
	w.add(recvQ(1), w.remembered(600, 0, 0))
	for _, f := range w.report().Findings {
		if saysOfSensor(&f, "zero") || saysOfSensor(&f, "together") {
			t.Errorf("evidence: %+v", f.Evidence)
		}
	}
}

func TestGroupsAreOfOnePlaceInTheCode(t *testing.T) {
	w := newWorld().sensed("pool_get", "health_check")
	w.addMany(3, recvQ(1), w.remembered(600, 0, 0, openedBy(1)))
	w.addMany(2, recvQ(1), w.remembered(600, 0, 0, openedBy(2)))
	found := w.report().Findings
	if len(found) != 2 || found[0].ID == found[1].ID {
		t.Fatalf("%d findings", len(found))
	}
	for i, want := range []string{"pool_get", "health_check"} {
		if c := found[i].OpenedBy; len(c) != 2 || c[1].Function != want || !c[1].Tells || c[1].Line != 7 || c[0].Tells {
			t.Errorf("finding %d was opened by %+v", i, c)
		}
	}
}

// What is told of a finding is told of all its connections: of two lines in one function
// both are, and two places in a stripped program are two. Where compiled code begins
// differs from process to process and tells nothing.
func TestWhatIsToldOfAPlaceIsTrueOfAll(t *testing.T) {
	frame := func(f observe.Frame) observe.Frame { f.Tells = true; return f }
	for _, r := range []struct {
		name string
		a, b observe.Frame
		want int
		note string
	}{
		{"the same line", observe.Frame{Function: "main", File: "a.c", Line: 12, Offset: 1}, observe.Frame{Function: "main", File: "a.c", Line: 12, Offset: 2}, 1, ""},
		{"another line", observe.Frame{Function: "main", File: "a.c", Line: 12}, observe.Frame{Function: "main", File: "a.c", Line: 15}, 1, "also line 15"},
		{"another place without names", observe.Frame{Module: "/bin/shop", Offset: 0x1204}, observe.Frame{Module: "/bin/shop", Offset: 0x1270}, 2, ""},
		{"compiled code without names", observe.Frame{Module: "[jit]", Offset: 0x1204}, observe.Frame{Module: "[jit]", Offset: 0x1270}, 1, ""},
	} {
		w := newWorld().sensed("pool_get", "health_check")
		w.Sensor.Stacks[0].Frames, w.Sensor.Stacks[1].Frames = []observe.Frame{frame(r.a)}, []observe.Frame{frame(r.b)}
		w.addMany(2, recvQ(1), w.remembered(600, 0, 0, openedBy(1)))
		w.addMany(2, recvQ(1), w.remembered(600, 0, 0, openedBy(2)))
		found := w.report().Findings
		if len(found) != r.want || found[0].OpenedBy[0].Note != r.note {
			t.Errorf("%s: %d findings, want %d, of the first %+v", r.name, len(found), r.want, found[0].OpenedBy)
		}
		if w.Sensor.Stacks[0].Frames[0].Note != "" {
			t.Error("the snapshot was changed")
		}
	}
}

// Connections older than the sensor are no group apart if there is one place only.
func TestUnseenCodeJoinsTheOnlyPlace(t *testing.T) {
	for places, want := range map[int]int{1: 1, 2: 3} {
		w := newWorld().sensed("pool_get", "health_check")
		for n := range places {
			w.addMany(2, recvQ(1), w.remembered(600, 0, 0, openedBy(n+1)))
		}
		w.addMany(3, recvQ(1), w.remembered(0, 0, 0, func(h *observe.History) { h.Older = true }))
		found := w.report().Findings
		if len(found) != want {
			t.Fatalf("%d places: %d findings, want %d", places, len(found), want)
		}
		if want == 1 && (found[0].Count != 5 || !saysOfSensor(&found[0], "3 of 5 are older than the sensor")) {
			t.Errorf("%d sockets, %+v", found[0].Count, found[0].Evidence)
		}
	}
}

// The sensor keeps no history of MPTCP, however young, and may lose others'.
func TestWhatTheSensorKnowsNothingOf(t *testing.T) {
	multipath := func(s *observe.Socket) { s.MPTCP = true }
	w := newWorld().sensed("pool_get")
	w.addMany(3, multipath)
	f := w.report().Findings[0]
	if !saysOfSensor(&f, "the sensor tells nothing of all 3: they are MPTCP's") || saysOfSensor(&f, "older") {
		t.Errorf("%+v", f.Evidence)
	}
	w = newWorld().sensed("pool_get")
	w.addMany(3, recvQ(1))
	w.Limits = append(w.Limits, observe.Limit{Code: observe.LimitSensor, Text: "no memory"})
	if f := w.report().Findings[0]; !saysOfSensor(&f, "3 of 3 are older than the sensor, which runs since") || !saysOfSensor(&f, "or what it knew of them is lost") {
		t.Errorf("%+v", f.Evidence)
	}
}

// A saved snapshot may hold any number.
func TestStacksThatAreNotThere(t *testing.T) {
	w := newWorld().sensed("pool_get")
	for _, n := range []int{-1, 2, 1 << 40} {
		w.add(recvQ(1), w.remembered(600, 0, 0, openedBy(n)))
	}
	if f := only(t, w.report()); f.OpenedBy != nil {
		t.Errorf("opened by %+v", f.OpenedBy)
	}
}
