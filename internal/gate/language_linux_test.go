package gate_test

import (
	"flag"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/privilege"
)

var often = flag.Int("often", 3, "how many times the programs that do not leak are run")

// program is one in some language, that leaks and that is fixed.
type program struct {
	name   string
	cause  diagnose.Cause
	server func(t *testing.T) string
	// args are the command for a mode, "leak" or "fixed"; it lives for hold.
	args func(t *testing.T, mode, address string, hold time.Duration) []string
}

const connections = 4

func programs() []program {
	seconds := func(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }
	client := func(t *testing.T, runtime, file, mode, address string, hold time.Duration) []string {
		host, port := hostPort(address)
		return []string{privilege.Program(t, runtime, "closewait run with a program in another language"), file, mode, host, port, "4", seconds(hold)}
	}
	return []program{
		{"Python: an idle connection in a pool", diagnose.EOFUnread,
			// A read that comes late would take data and FIN together: Recv-Q 0.
			func(t *testing.T) string { return answering(t, "", 10, time.Second) },
			func(t *testing.T, mode, address string, hold time.Duration) []string {
				return client(t, "python3", "testdata/client.py", mode, address, hold)
			}},
		{"Node: allowHalfOpen without end", diagnose.EOFIgnored,
			func(t *testing.T) string { return answering(t, "", 10, 20*time.Millisecond) },
			func(t *testing.T, mode, address string, hold time.Duration) []string {
				return client(t, "node", "testdata/client.js", mode, address, hold)
			}},
		{"Go: a response body that is not closed", diagnose.DataUnread,
			func(t *testing.T) string { return answering(t, "Connection: close\r\n", 20_000, 20*time.Millisecond) },
			func(_ *testing.T, mode, address string, hold time.Duration) []string {
				return act("http-"+mode, address, connections, hold)
			}},
		{"Java: a socket read to its end", diagnose.EOFIgnored,
			func(t *testing.T) string { return answering(t, "", 10, 20*time.Millisecond) },
			func(t *testing.T, mode, address string, hold time.Duration) []string {
				javac := privilege.Program(t, "javac", "closewait run with a program in Java")
				if out, err := exec.Command(javac, "-d", folder, "testdata/Client.java").CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				args := client(t, "java", "Client", mode, address, hold)
				return append([]string{args[0], "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", folder}, args[1:]...)
			}},
	}
}

// C7: an application-level bug, found with its cause, in any language.
func TestALeakIsFoundInAnyLanguage(t *testing.T) {
	for _, p := range programs() {
		t.Run(p.name, func(t *testing.T) {
			address := p.server(t)
			o := looked(t, []string{"--grace", "300ms"}, 2500*time.Millisecond, func(life time.Duration) []string {
				return p.args(t, "leak", address, life)
			}).leaks(t, connections, p.cause)
			if f := o.Report.Findings[0]; f.Owner == nil || f.Remote != address {
				t.Errorf("owner %+v, remote %s, want %s", f.Owner, f.Remote, address)
			}
			if o.Counts.Stuck != connections {
				t.Errorf("counts %+v, want %d stuck", o.Counts, connections)
			}
		})
	}
}

// C6: what closes upon the read of zero is let pass, always.
func TestAFixedProgramPassesInAnyLanguage(t *testing.T) {
	for _, p := range programs() {
		t.Run(p.name, func(t *testing.T) {
			address := p.server(t)
			args := p.args(t, "fixed", address, 100*time.Millisecond)
			for i := range *often {
				if run(t, []string{"--grace", "30s"}, args...).passes(t); t.Failed() {
					t.Fatalf("in run %d of %d", i+1, *often)
				}
			}
		})
	}
}
