package gate_test

import (
	"testing"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/privilege"
)

// Children that leak one connection each, or close it, and end within 20 ms; they are
// reaped at once, ten at a time.
const children = `
import os, socket, sys, time
host, port = sys.argv[1].split(":")
for _ in range(int(sys.argv[2]) // 10):
    for _ in range(10):
        if os.fork() == 0:
            s = socket.create_connection((host, int(port)))
            s.recv(10)
            time.sleep(0.02)
            if sys.argv[3] == "close":
                s.close()
            os._exit(0)
    for _ in range(10):
        os.wait()
`

// With the sensor each counts, also of children that no look has ever shown, and whose
// numbers say nothing any more when it is heard how their connections ended.
func TestEveryShortChildThatLeaksCounts(t *testing.T) {
	python := privilege.Program(t, "python3", "short children that leak")
	flags, address := sensorFlags(t), closing(t)
	for range *often {
		o := run(t, flags, python, "-c", children, address, "100", "leak").leaks(t, 100, diagnose.EOFIgnored)
		if o.Counts.Died != 100 || o.Counts.Inferred != 0 || o.Witness.Exact == o.skipped() {
			t.Errorf("counts %+v, exact %v, want 100 seen to die; said:\n%s", o.Counts, o.Witness.Exact, o.err)
		}
		run(t, flags, python, "-c", children, address, "100", "close").passes(t)
	}
}

// Those of others are not the program's.
func TestTheLeaksOfOthersDoNotCount(t *testing.T) {
	python := privilege.Program(t, "python3", "short children that leak")
	flags, address := sensorFlags(t), closing(t)
	other, o := watched(t, flags, python, "-c", children, address, "100", "leak")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	run(t, flags, actor, "late", address, "3", "500").passes(t)
	o.read(t, other.Wait()).leaks(t, 100, diagnose.EOFIgnored)
}
