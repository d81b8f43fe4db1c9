package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/collect"
	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/kernel/sensor"
	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/tcp"
)

// pinnedSensor starts one that is this test's alone.
func pinnedSensor(t *testing.T, what string) (dir string) {
	t.Helper()
	privilege.Need(t, what)
	dir = filepath.Join(filepath.Dir(sensor.Dir), fmt.Sprintf("closewait-test-%d", os.Getpid()))
	err := sensor.Start(dir)
	if lack, ok := errors.AsType[*sensor.UnavailableError](err); ok {
		if lack.Lack == sensor.LackPrivilege {
			privilege.Refused(t, what, err)
		}
		privilege.Unsupported(t, what, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sensor.Stop(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// sensed is one program, and what the report says of it with the sensor's help.
type sensed struct {
	kind       misbehave.Kind
	confidence diagnose.Confidence
	says       []string // in the evidence
	direction  diagnose.Direction
	zeroBy     bool
}

// What a single look can only bracket or infer, the sensor knows: since when, who
// opened it, whether a read returned zero, and how it ended.
func TestSensorMakesALookExact(t *testing.T) {
	dir := pinnedSensor(t, "what the sensor adds to a look")
	rows := []sensed{
		{misbehave.EOFIgnored, diagnose.Certain, []string{"a read returned zero on all 2"}, diagnose.Outbound, true},
		{misbehave.EOFCoalesced, diagnose.Likely, []string{"on all 2 the last read took data and the FIN together"}, diagnose.Outbound, false},
		{misbehave.SlowAnswer, diagnose.Likely, []string{"a read returned zero on all 2"}, diagnose.Inbound, true},
		// Answered within the tick in which it was asked: which was first can't be told.
		{misbehave.AnsweredThenKept, "", []string{"a read returned zero on all 2"}, diagnose.Inbound, true},
		{misbehave.EOFUnread, diagnose.Certain, []string{"no read has returned zero on all 2"}, diagnose.Outbound, false},
		{misbehave.EOFPeeked, diagnose.Certain, []string{"a read with MSG_PEEK has seen the end on all 2"}, diagnose.Outbound, false},
		{misbehave.MaskedWrite, diagnose.Certain, []string{"a RST ended all 2"}, diagnose.Outbound, false},
	}
	programs := make([]*misbehave.Program, len(rows))
	for i, row := range rows {
		p, err := misbehave.Start(t.Context(), misbehave.Spec{Kind: row.kind, Count: 2})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Stop() })
		programs[i] = p
	}
	ready := time.Now()
	for _, reader := range readers() {
		snapshot, err := collect.Look(t.Context(), collect.Options{Reader: reader, SensorDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			t.Run(reader+" "+string(row.kind), func(t *testing.T) {
				f := findingOf(t, snapshot, programs[i])
				if row.confidence != "" && f.Confidence != row.confidence || f.Direction != row.direction {
					t.Errorf("%s and %s, want %s and %s", f.Confidence, f.Direction, row.confidence, row.direction)
				}
				for _, fact := range row.says {
					if !slices.ContainsFunc(f.Evidence, func(e diagnose.Evidence) bool { return e.Source == "sensor" && strings.Contains(e.Fact, fact) }) {
						t.Errorf("no %q in %+v", fact, f.Evidence)
					}
				}
				if f.Oldest.AtMostS == nil || *f.Oldest.AtMostS != f.Oldest.AtLeastS {
					t.Errorf("its age is a bracket: %+v", f.Oldest)
				} else if least := snapshot.TakenAt.Sub(ready).Seconds(); f.Oldest.AtLeastS < least-0.005 {
					t.Errorf("it is %.3f s old, and was so %.3f s before the look", f.Oldest.AtLeastS, least)
				}
				if row.direction == diagnose.Outbound && !names(f.OpenedBy, "misbehave") {
					t.Errorf("it was opened by %+v", f.OpenedBy)
				}
				if row.direction == diagnose.Inbound && !names(f.ReadBy, "misbehave") {
					t.Errorf("it was first read by %+v", f.ReadBy)
				}
				if names(f.ZeroBy, "misbehave") != row.zeroBy {
					t.Errorf("zero was read by %+v", f.ZeroBy)
				}
			})
		}
	}
}

// names reports whether the frames that tell most are of a room.
func names(stack []observe.Frame, room string) bool {
	return slices.ContainsFunc(stack, func(c observe.Frame) bool {
		return c.Tells && strings.Contains(c.Function, room) && strings.HasSuffix(c.File, ".go") && c.Line > 0
	})
}

func findingOf(t *testing.T, s *observe.Snapshot, p *misbehave.Program) *diagnose.Finding {
	t.Helper()
	o := diagnose.Options{Grace: time.Millisecond, Filter: diagnose.Filter{PIDs: p.PIDs()}}
	var found []diagnose.Finding
	for _, f := range diagnose.Diagnose(nil, s, o).Findings {
		if f.State == tcp.CloseWait || f.State == tcp.Closed {
			found = append(found, f)
		}
	}
	if len(found) != 1 || found[0].Count != 2 {
		t.Fatalf("findings: %+v", found)
	}
	return &found[0]
}

// What was there before the sensor is shown as without it, and marked.
func TestOlderThanTheSensor(t *testing.T) {
	p, err := misbehave.Start(t.Context(), misbehave.Spec{Kind: misbehave.EOFIgnored, Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Stop() }()
	dir := pinnedSensor(t, "what is older than the sensor")
	s, err := collect.Look(t.Context(), collect.Options{SensorDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	f := findingOf(t, s, p)
	if f.Confidence != diagnose.Likely || len(f.OpenedBy) > 0 {
		t.Errorf("it is %s, opened by %+v", f.Confidence, f.OpenedBy)
	}
	if !slices.ContainsFunc(f.Evidence, func(e diagnose.Evidence) bool { return strings.HasPrefix(e.Fact, "2 of 2 are older than the sensor") }) {
		t.Errorf("evidence: %+v", f.Evidence)
	}
}
