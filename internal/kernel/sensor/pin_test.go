//go:build linux

package sensor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/testbed"
)

// place is a folder for a pinned sensor of the test's own.
func place(t testing.TB) string {
	t.Helper()
	privilege.Need(t, "a pinned sensor")
	dir := filepath.Join(filesystem, fmt.Sprintf("closewait-test-%d-%s", os.Getpid(), strings.ToLower(t.Name())))
	if err := needFilesystem(filesystem); err != nil {
		privilege.Refused(t, "a pinned sensor", err)
	}
	t.Cleanup(func() {
		if err := Stop(dir); err != nil && !errors.Is(err, ErrNotRunning) {
			t.Error(err)
		}
	})
	return dir
}

func open(t testing.TB, dir string) *Sensor {
	t.Helper()
	s, err := Open(dir)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// ours lists what there is of this package's programs, their links and its maps in
// the kernel, by whoever loaded them.
func traces(t testing.TB) string {
	t.Helper()
	var found []string
	names := map[string]bool{listProgList: true}
	for _, tp := range tracepoints {
		names[tp.program] = true
	}
	programs := map[ebpf.ProgramID]bool{}
	for id := ebpf.ProgramID(0); ; {
		next, err := ebpf.ProgramGetNextID(id)
		if err != nil {
			break
		}
		id = next
		p, err := ebpf.NewProgramFromID(id)
		if err != nil {
			continue // gone since
		}
		info, err := p.Info()
		p.Close()
		if err == nil && names[info.Name] {
			programs[id] = true
			found = append(found, fmt.Sprintf("program %s %d", info.Name, id))
		}
	}
	for it := new(link.Iterator); it.Next(); {
		if info, err := it.Link.Info(); err == nil && programs[info.Program] {
			found = append(found, fmt.Sprintf("link %d", info.ID))
		}
		it.Link.Close()
	}
	for id := ebpf.MapID(0); ; {
		next, err := ebpf.MapGetNextID(id)
		if err != nil {
			break
		}
		id = next
		m, err := ebpf.NewMapFromID(id)
		if err != nil {
			continue
		}
		info, err := m.Info()
		m.Close()
		if err == nil && (info.Name == traceMapHistories || info.Name == traceMapStacks || info.Name == traceMapTallies) {
			found = append(found, fmt.Sprintf("map %s %d", info.Name, id))
		}
	}
	return strings.Join(found, "\n")
}

// gone waits until the kernel has nothing any more of what was there when it was
// called, and not before: it frees late. What comes meanwhile is some other test's.
func gone(t testing.TB, before string) {
	t.Helper()
	known := strings.Split(before, "\n")
	left := slices.DeleteFunc(strings.Split(traces(t), "\n"), func(trace string) bool { return slices.Contains(known, trace) })
	await(t, "the kernel to be as before", func() bool {
		now := strings.Split(traces(t), "\n")
		left = slices.DeleteFunc(left, func(trace string) bool { return !slices.Contains(now, trace) })
		return len(left) == 0
	})
}

func TestAnOwnSensorLeavesNoTrace(t *testing.T) {
	privilege.Need(t, "the sensor on the running kernel")
	before := traces(t)
	s, err := Load()
	must(t, err)
	if traces(t) == before {
		t.Error("a running sensor is not seen: this test proves nothing")
	}
	must(t, s.Close())
	gone(t, before)
}

func TestAKilledProcessLeavesNoSensor(t *testing.T) {
	privilege.Need(t, "the sensor on the running kernel")
	before := traces(t)
	c := testbed.Start(t, "own").Ready()
	if traces(t) == before {
		t.Error("a running sensor is not seen: this test proves nothing")
	}
	c.Kill()
	gone(t, before)
}

func TestAPinnedSensorRemembersUntilStopped(t *testing.T) {
	dir := place(t)
	before := traces(t)
	if _, err := Open(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("open before start: %v", err)
	}
	if err := Stop(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("stop before start: %v", err)
	}
	must(t, Start(dir))
	if err := Start(dir); !errors.Is(err, ErrRunning) {
		t.Errorf("start twice: %v", err)
	}
	running := traces(t)
	client, peer := pair(t)
	finish(t, client, peer, false)
	first := open(t, dir)
	was := history(t, first, client)
	if was.HalfClosed == 0 || !was.Outbound || !first.Pinned() {
		t.Errorf("%+v", was)
	}
	must(t, first.Close())
	gone(t, running)
	// A second reader, with what happened in between.
	recvfrom(client, 1, 0)
	second := open(t, dir)
	if is := history(t, second, client); is.HalfClosed != was.HalfClosed || is.Zeros != 1 {
		t.Errorf("%+v, was %+v", is, was)
	}
	st, err := second.Status()
	must(t, err)
	if !st.Pinned || st.FINs == 0 || st.Outbound == 0 || st.Zeros == 0 || st.Since <= 0 || st.Since > sinceBoot() ||
		len(st.Programs) != len(tracepoints) || st.MapBytes == 0 {
		t.Errorf("%+v", st)
	}
	must(t, second.Close())
	must(t, Stop(dir))
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after stop: %v", err)
	}
	gone(t, before)
}

func TestAStartThatWasKilledHalfWayIsDoneAgain(t *testing.T) {
	dir := place(t)
	must(t, Start(dir))
	must(t, os.Remove(filepath.Join(dir, traceMapControl))) // the last to be pinned
	if _, err := Open(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("half a sensor: %v", err)
	}
	must(t, Start(dir))
	open(t, dir)
}

func TestAnotherLayoutIsSaidAndCanBeStopped(t *testing.T) {
	dir := place(t)
	must(t, Start(dir))
	control, err := ebpf.LoadPinnedMap(filepath.Join(dir, traceMapControl), nil)
	must(t, err)
	must(t, control.Put(uint32(0), &traceControl{Layout: layout + 7}))
	must(t, control.Close())
	_, err = Open(dir)
	var other *LayoutError
	if !errors.As(err, &other) || other.Have != layout+7 || other.Want != layout || !strings.Contains(err.Error(), "sensor stop") {
		t.Errorf("%v", err)
	}
	must(t, Stop(dir))
}

func TestNoFilesystemToPinIn(t *testing.T) {
	privilege.Need(t, "a pinned sensor")
	err := Start(filepath.Join(t.TempDir(), "closewait"))
	var lack *UnavailableError
	if !errors.As(err, &lack) || lack.Lack != LackFilesystem || !strings.Contains(err.Error(), "mount -t bpf") {
		t.Errorf("%v", err)
	}
}

func TestNoFolderToPinIn(t *testing.T) {
	missing := place(t)
	for _, below := range []string{"sub", "sub/sub"} {
		err := Start(filepath.Join(missing, below))
		if err == nil || !strings.Contains(err.Error(), "there is no folder "+filepath.Dir(filepath.Join(missing, below))+":") || strings.Contains(err.Error(), "mount") {
			t.Errorf("%s: %v", below, err)
		}
	}
}

func TestTwoReadersHearTheSame(t *testing.T) {
	dir := place(t)
	must(t, Start(dir))
	var readers []*heard
	for range 2 {
		readers = append(readers, hear(t, open(t, dir), EventOptions{}))
	}
	client, peer := pair(t)
	finish(t, client, peer, false)
	id := cookie(t, client)
	must(t, client.Close())
	a, b := readers[0].one(t, KindEnded, of(id)), readers[1].one(t, KindEnded, of(id))
	if a != b {
		t.Errorf("%+v\n%+v", a, b)
	}
}

func TestAReaderThatWasKilledGivesItsPlaceBack(t *testing.T) {
	dir := place(t)
	must(t, Start(dir))
	s := open(t, dir)
	before := traces(t)
	var children []*testbed.Child
	for range Places {
		children = append(children, testbed.Start(t, "read", dir).Ready())
	}
	if err := s.Events(t.Context(), EventOptions{}, func(*Event) error { return nil }); !errors.Is(err, ErrPlaces) {
		t.Errorf("one reader too many: %v", err)
	}
	children[1].Kill()
	h := hear(t, s, EventOptions{})
	client, peer := pair(t)
	finish(t, client, peer, false)
	id := cookie(t, client)
	h.one(t, KindHalfClosed, of(id))
	for _, c := range children {
		c.Kill()
	}
	gone(t, before)
	// The dead readers' wishes stand, but there is nobody to send to: nothing is lost.
	must(t, client.Close())
	h.one(t, KindEnded, of(id))
}

func TestASlowReaderIsToldWhatItLost(t *testing.T) {
	s := start(t)
	block, slow := make(chan struct{}), make(chan struct{})
	lost := make(chan uint64, 1)
	ready := make(chan struct{})
	var once sync.Once
	ended := make(chan error, 1)
	go func() {
		ended <- s.Events(t.Context(), EventOptions{Buffer: os.Getpagesize(), Ready: func() { close(ready) }}, func(e *Event) error {
			once.Do(func() { close(slow) })
			<-block
			if e.Kind == KindLost {
				lost <- e.Lost
				return errors.New("enough")
			}
			return nil
		})
	}()
	<-ready
	l, at := listen(t, 0)
	more := func(n int) {
		for range n {
			c := connect(t, at, 0)
			p := accept(t, l)
			must(t, c.Close())
			must(t, p.Close())
		}
	}
	more(1)
	<-slow
	more(100)
	close(block)
	await(t, "the loss to be told", func() bool {
		more(1) // the kernel tells with the next event that has room
		return len(lost) > 0
	})
	if n := <-lost; n == 0 {
		t.Error("none lost")
	}
	if err := <-ended; err == nil {
		t.Error("the caller's error is lost")
	}
	st, err := s.Status()
	must(t, err)
	if st.LostEvents[0] == 0 {
		t.Errorf("%+v", st)
	}
}

func TestCostIsMeasured(t *testing.T) {
	s := start(t)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var costs []ProgramCost
	var over time.Duration
	ended := make(chan error, 1)
	go func() {
		var err error
		costs, over, err = s.Cost(ctx, time.Hour)
		ended <- err
	}()
	// The programs count only while they are measured.
	await(t, "runs to be counted", func() bool {
		a, b := pair(t)
		a.Close()
		b.Close()
		st, err := s.Status()
		must(t, err)
		return st.Programs[0].Runs >= 100
	})
	stop()
	must(t, <-ended)
	if c := costs[0]; c.Name != traceProgSetState || c.Runs == 0 || c.Time <= 0 {
		t.Errorf("%+v", costs)
	}
	if over <= 0 || over > 2*time.Minute {
		t.Errorf("measured over %v: it was stopped after a minute at most", over)
	}
}

func TestAUserIsToldWhatIsMissing(t *testing.T) {
	privilege.Need(t, "a user without privilege")
	if got := asUser(t, "user"); !strings.Contains(got, "CAP_BPF and CAP_PERFMON") {
		t.Errorf("%s", got)
	}
}

func TestTwoCapabilitiesAreEnough(t *testing.T) {
	privilege.Need(t, "the sensor with CAP_BPF and CAP_PERFMON alone")
	if got := asUser(t, "user", unix.CAP_BPF, unix.CAP_PERFMON); got != "works\n" {
		t.Errorf("%q", got)
	}
}
