package diagnose

import (
	"strconv"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/observe"
)

// wantFull checks who runs out of what, when: minutes from noon, 0 for never.
func wantFull(t *testing.T, f *Finding, resource Resource, of string, used, limit int, minutes float64) {
	t.Helper()
	e := f.Exhaustion
	if e == nil {
		t.Fatalf("%s: nothing runs out", f.Cause)
	}
	got := 0.0
	if e.At != nil {
		got = e.At.Sub(noon).Minutes()
	}
	if e.Resource != resource || e.Of != of || e.Used != used || e.Limit != limit || got < minutes*0.97 || got > minutes*1.03 || (minutes == 0) != (e.At == nil) {
		t.Errorf("%+v in %.1f min; want %s of %s, %d of %d, in %.1f min", *e, got, resource, of, used, limit, minutes)
	}
}

func TestOpenFilesFill(t *testing.T) {
	w := newWorld()
	w.Processes[0].OpenFiles, w.Processes[0].NoFileSoft = 846, 1024
	w.aged(every(30, 240)...) // 120 an hour
	wantFull(t, stuck(t, w.report()), OpenFiles, "pid 100", 846, 1024, 178.0/2)
}

// stuck returns the first finding if it is stuck.
func stuck(t *testing.T, r *Report) *Finding {
	t.Helper()
	if len(r.Findings) == 0 || !r.Findings[0].Stuck {
		t.Fatalf("nothing stuck: %s", told(r))
	}
	return &r.Findings[0]
}

func TestWorkersShareTheGrowth(t *testing.T) {
	w := newWorld()
	w.process(200, "/opt/app/bin/app")
	w.Processes[0].OpenFiles, w.Processes[1].OpenFiles = 500, 900
	for i, a := range every(30, 240) { // 120 an hour: 90 of pid 100, 30 of pid 200
		w.add(recvQ(1), quiet(9000, 9000, a), heldBy(int32(100+100*(map[bool]int{true: 1}[i%4 == 0]))))
	}
	wantFull(t, stuck(t, w.report()), OpenFiles, "pid 200", 900, 1024, 124.0*2)
	w.Processes[0].OpenFiles = 1000
	wantFull(t, stuck(t, w.report()), OpenFiles, "pid 100", 1000, 1024, 24.0/1.5)
}

func TestGrowthOfOneProcessIsNotAnothers(t *testing.T) {
	w := newWorld()
	w.process(200, "/opt/app/bin/app")
	w.Processes[1].OpenFiles = 924
	for _, a := range every(30, 240) { // pid 100 leaks towards one service, 120 an hour
		w.add(recvQ(1), quiet(9000, 9000, a))
	}
	for range 10 { // pid 200 has old ones towards another
		w.add(recvQ(1), quiet(9000, 9000, 8000), remote("10.0.0.9:443"), heldBy(200))
	}
	for _, f := range w.report().Findings {
		if f.Remote == "10.0.0.9:443" {
			wantFull(t, &f, OpenFiles, "pid 200", 924, 1024, 0)
		}
	}
}

func TestMaskedAndLiveFillTogether(t *testing.T) {
	w := newWorld()
	w.Processes[0].OpenFiles = 904
	for _, a := range every(60, 120) { // each 60 an hour
		w.add(recvQ(1), quiet(9000, 9000, a))
		w.add(dead, quiet(9000, 9000, a))
	}
	r := w.report()
	for _, c := range []Cause{EOFUnread, Masked} {
		for _, f := range r.Findings {
			if f.Cause == c && f.Stuck {
				wantFull(t, &f, OpenFiles, "pid 100", 904, 1024, 60)
			}
		}
	}
}

func TestForkedHoldersGrowAlike(t *testing.T) {
	w := newWorld()
	w.process(200, "/opt/app/bin/app")
	w.Processes[1].OpenFiles = 904
	for _, a := range every(30, 240) {
		w.add(recvQ(1), quiet(9000, 9000, a), heldBy(100, 200))
	}
	wantFull(t, stuck(t, w.report()), OpenFiles, "pid 200", 904, 1024, 60)
}

func TestLimitsThatSayNothing(t *testing.T) {
	for name, change := range map[string]func(*observe.Process){
		"unlimited":                       func(p *observe.Process) { p.NoFileSoft = 1<<64 - 1 },
		"the limit could not be read":     func(p *observe.Process) { p.NoFileSoft = 0 },
		"the number could not be counted": func(p *observe.Process) { p.OpenFiles = 0 },
	} {
		w := newWorld()
		change(&w.Processes[0])
		w.add(recvQ(1), local("10.0.0.1:8080")) // of unknown direction: takes no port of the range
		if e := only(t, w.report()).Exhaustion; e != nil {
			t.Errorf("%s: %+v", name, *e)
		}
	}
}

func TestAcceptQueueFills(t *testing.T) {
	build := func(queue, backlog uint32, ages ...float64) *Finding {
		w := newWorld()
		w.listen("0.0.0.0:8080", queue, backlog, appPID)
		for _, a := range ages {
			w.add(toPort, recvQ(1), noFile, quiet(a, a, a))
		}
		return stuck(t, w.report())
	}
	wantFull(t, build(65, 128, every(60, 65)...), AcceptQueue, "0.0.0.0:8080", 65, 129, 64)
	full := build(6, 5, 600, 600, 600)
	if full.Exhaustion.At == nil || !full.Exhaustion.At.Equal(noon) || full.Severity != Critical {
		t.Errorf("a full queue holds one more than its backlog: %+v, %s", full.Exhaustion, full.Severity)
	}
	wantFull(t, build(5, 5, 600, 600, 600), AcceptQueue, "0.0.0.0:8080", 5, 6, 0)
}

func TestLocalPortsFill(t *testing.T) {
	w := newWorld()
	w.Processes[0].NoFileSoft = 1 << 20
	w.Namespaces[0].Sysctl.LocalPorts = [2]int{32768, 60999}
	w.Namespaces[0].PortUse = []observe.PortUse{{Local: "10.0.0.9", Remote: service, Used: 1}, {Local: "10.0.0.1", Remote: service, Used: 28112}}
	w.aged(every(30, 240)...)
	wantFull(t, stuck(t, w.report()), LocalPorts, "10.0.0.1 → "+service, 28112, 28232, 60)
	w.Namespaces[0].PortUse = nil
	w.Processes = nil
	f := stuck(t, w.report())
	if e := f.Exhaustion; e.Resource != LocalPorts || e.Used != f.Count {
		t.Errorf("at least the group's own ports are in use: %+v", e)
	}
}

func TestLocalPortsAreCountedByAddress(t *testing.T) {
	w := newWorld()
	w.Processes[0].NoFileSoft = 1 << 20
	w.Namespaces[0].Sysctl.LocalPorts = [2]int{40000, 40099}
	w.addMany(3, recvQ(1))
	for i := range 50 {
		w.add(recvQ(1), local("10.0.0.2:400"+strconv.Itoa(i/10)+strconv.Itoa(i%10)))
	}
	for i := range w.Sockets[:3] {
		local("10.0.0.1:4000" + strconv.Itoa(i))(&w.Sockets[i])
	}
	wantFull(t, stuck(t, w.report()), LocalPorts, "10.0.0.2 → "+service, 50, 100, 0)
}

func TestSeverity(t *testing.T) {
	files := func(used int) func(*world) { return func(w *world) { w.Processes[0].OpenFiles = used } }
	for _, r := range []struct {
		name  string
		build func(w *world)
		want  Severity
	}{
		{"a bounded pool: not growing and far from any limit: info", func(w *world) { w.addMany(10, recvQ(1)) }, Info},
		{"one slow answer", func(w *world) { w.listen("0.0.0.0:8080", 0, 5, appPID); w.add(toPort) }, Info},
		{"99 that do not grow", func(w *world) { w.Processes[0].NoFileSoft = 1 << 20; w.addMany(99, recvQ(1)) }, Info},
		{"100 of them", func(w *world) { w.Processes[0].NoFileSoft = 1 << 20; w.addMany(100, recvQ(1)) }, Warning},
		{"a few that one look takes for growing", func(w *world) { w.aged(every(60, 15)...) }, Info},
		{"growing", func(w *world) { w.Processes[0].NoFileSoft = 1 << 20; w.aged(every(60, 20)...) }, Warning},
		{"half full", func(w *world) { files(512)(w); w.add(recvQ(1)) }, Warning},
		{"just below", func(w *world) { files(511)(w); w.add(recvQ(1)) }, Info},
		{"nearly full", func(w *world) { files(922)(w); w.add(recvQ(1)) }, Critical},
		{"just below nearly full", func(w *world) { files(921)(w); w.add(recvQ(1)) }, Warning},
		{"full in 5 hours, a tenth in use", func(w *world) { files(424)(w); w.aged(every(30, 40)...) }, Critical},
		{"full in 7 hours", func(w *world) { files(184)(w); w.aged(every(30, 40)...) }, Warning},
		{"full in 5 hours, but hardly in use yet", func(w *world) { files(100)(w); w.aged(every(20, 60)...) }, Warning},
		{"not stuck: never more than info", func(w *world) { files(1024)(w); w.add(recvQ(1), quiet(9, 9, 9)) }, Info},
		{"nobody accepts: a warning, however few", func(w *world) { w.listen("0.0.0.0:8080", 1, 50, appPID); w.add(toPort, noFile) }, Warning},
	} {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld()
			r.build(w)
			if f := w.report().Findings[0]; f.Severity != r.want {
				t.Errorf("%s, want %s (%+v)", f.Severity, r.want, f.Exhaustion)
			}
		})
	}
}

func TestFullInMoreThanAYearIsNoTime(t *testing.T) {
	for _, r := range []struct {
		used, limit int
		perHour     float64
		want        time.Duration // 0: none
	}{
		{0, 8760, 1, 8760 * time.Hour},
		{0, 8761, 1, 0},
		{10, 20, 0, 0},
		{10, 20, -5, 0},
		{10, 20, 1e-300, 0},
		{10, 20, 1e300, time.Nanosecond},
	} {
		at := fullAt(noon, r.used, r.limit, r.perHour)
		if (at == nil) != (r.want == 0) || at != nil && at.Sub(noon) > r.want {
			t.Errorf("%+v: %v", r, at)
		}
	}
	if at := fullAt(noon, 21, 20, -1); at == nil || !at.Equal(noon) {
		t.Errorf("over the limit: %v", at)
	}
}
