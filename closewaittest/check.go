package closewaittest

import (
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"time"
)

// Options says what is let pass. The zero value is what Check uses.
type Options struct {
	// Grace is how long after the test sockets may still be half-closed: whoever
	// closes them may be under way. Zero means 2 s. It is waited for only if
	// something is left, and no longer than that is so.
	Grace time.Duration
	// Allow, if not nil, is asked about each socket left behind; one for which it
	// returns true is not reported.
	Allow func(Socket) bool
}

// DefaultGrace is used where Options.Grace is zero.
const DefaultGrace = 2 * time.Second

// Check makes t fail if the test leaves half-closed sockets behind. Call it
// first, and after t.Parallel: it looks again when the test, its subtests and
// all later cleanups are done.
func Check(t testing.TB) {
	t.Helper()
	Options{}.Check(t)
}

// Check is the function Check with options.
func (o Options) Check(t testing.TB) {
	t.Helper()
	o.check(t, &process)
}

// VerifyTestMain runs the tests of m and ends the process with their exit
// status, or with 1 if they succeeded and left half-closed sockets behind. It is
// called in TestMain, with its argument.
func VerifyTestMain(m interface{ Run() int }) { Options{}.VerifyTestMain(m) }

// VerifyTestMain is the function VerifyTestMain with options.
func (o Options) VerifyTestMain(m interface{ Run() int }) {
	os.Exit(o.verify(m, &process, os.Stderr))
}

// process knows the checks under way. A test can only tell its own sockets from
// those of a parallel one if both are known in one place, and neither may be
// asked to hand that place around.
var process registry

// silence makes sure that a system without the means is told of once.
var silence sync.Once

func (o Options) check(t testing.TB, r *registry) {
	t.Helper()
	if lack := unsupported(); lack != "" {
		silence.Do(func() { t.Logf("closewaittest: half-closed sockets are not looked for: %s", lack) })
		return
	}
	began := time.Now()
	c, err := r.begin(t.Name())
	if err != nil {
		t.Errorf("closewaittest: %v", err)
		return
	}
	t.Cleanup(func() {
		t.Helper()
		out, err := o.end(r, c, began)
		switch {
		case err != nil:
			t.Errorf("closewaittest: %v", err)
		case len(out.mine) > 0:
			t.Errorf("closewaittest: %s", text("this test", out.mine))
		case len(out.others) > 0:
			t.Logf("closewaittest: %s", undecided(out.others))
		}
	})
}

func (o Options) verify(m interface{ Run() int }, r *registry, stderr io.Writer) int {
	if lack := unsupported(); lack != "" {
		status := m.Run()
		silence.Do(func() { fmt.Fprintf(stderr, "closewaittest: half-closed sockets are not looked for: %s\n", lack) })
		return status
	}
	began := time.Now()
	c, err := r.begin("")
	if err != nil {
		fmt.Fprintf(stderr, "closewaittest: %v\n", err)
		return max(m.Run(), 1)
	}
	status := m.Run()
	out, err := o.end(r, c, began)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "closewaittest: %v\n", err)
		return max(status, 1)
	case len(out.mine) > 0:
		fmt.Fprintf(stderr, "closewaittest: %s\n", text("this test binary", out.mine))
		return max(status, 1)
	}
	return status
}

// end looks until nothing is left that c would have to answer for, or the grace
// period is over.
func (o Options) end(r *registry, c *check, began time.Time) (outcome, error) {
	grace := o.Grace
	if grace <= 0 {
		grace = DefaultGrace
	}
	pause := time.Millisecond
	for deadline := time.Now().Add(grace); ; {
		last := !time.Now().Before(deadline)
		out, err := r.look(c, o.Allow, last)
		if err != nil || last || len(out.mine) == 0 {
			for i := range out.mine {
				out.mine[i].youngerThan(time.Since(began))
			}
			return out, err
		}
		time.Sleep(min(pause, time.Until(deadline)))
		pause = min(2*pause, 50*time.Millisecond)
	}
}
