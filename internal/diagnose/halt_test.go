package diagnose

import (
	"strings"
	"testing"

	"github.com/closewait/closewait/internal/observe"
)

// A process that is stopped is named as such: that, and no pool, is why nobody
// reads.
func TestStoppedOwners(t *testing.T) {
	const stopped = "pid 100 is stopped (SIGSTOP or a like signal): it can't read"
	for _, c := range []struct {
		name  string
		build func(w *world)
		want  string // empty: nothing is said
	}{
		{"it runs", func(w *world) { w.add(recvQ(1)) }, ""},
		{"stopped", func(w *world) { w.add(recvQ(1)); w.Processes[0].Halt = observe.HaltStopped }, stopped},
		{"traced", func(w *world) { w.add(recvQ(1)); w.Processes[0].Halt = observe.HaltTraced },
			"pid 100 was held by a debugger or tracer at the moment of the look: it can't read meanwhile"},
		{"frozen", func(w *world) { w.add(recvQ(1)); w.Processes[0].Halt = observe.HaltFrozen },
			"pid 100 is frozen (its control group's freezer, as by docker pause): it can't read"},
		{"a listener's", func(w *world) {
			w.listen("0.0.0.0:8080", 1, 5, appPID)
			w.add(toPort, noFile, recvQ(1))
			w.Processes[0].Halt = observe.HaltStopped
		}, "pid 100 is stopped (SIGSTOP or a like signal): it can't accept"},
		{"another's", func(w *world) {
			w.add(recvQ(1))
			w.process(7, "/opt/b/bin/b").Halt = observe.HaltStopped
		}, ""},
		{"another's that holds them too", func(w *world) {
			s := w.add(recvQ(1))
			s.Holders = append(s.Holders, observe.Holder{PID: 200, FD: 4})
			w.process(200, "/opt/b/bin/b").Halt = observe.HaltStopped
		}, "pid 200 is stopped (SIGSTOP or a like signal): it can't read"},
		{"many workers", func(w *world) {
			for pid := 201; pid <= 205; pid++ {
				w.process(pid, "/opt/app/bin/app").Halt = observe.HaltStopped
				w.add(recvQ(1), heldBy(int32(pid)))
			}
		}, "each of the pids 201, 202, 203 and 2 more is stopped (SIGSTOP or a like signal): it can't read"},
	} {
		w := newWorld()
		c.build(w)
		f := only(t, w.report())
		got := ""
		for _, e := range f.Evidence {
			if strings.Contains(e.Fact, "stopped (") || strings.Contains(e.Fact, "debugger") || strings.Contains(e.Fact, "frozen") {
				got += e.Fact
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
