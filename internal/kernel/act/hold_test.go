//go:build linux

package act

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkHold measures for how long a copy of a descriptor is held: the owner's
// close waits for it.
func BenchmarkHold(b *testing.B) {
	p := here()
	l := p.listen(b)
	ours := p.connect(b, l)
	peer := accept(b, l)
	must(b, "shutdown", unix.Shutdown(peer, unix.SHUT_WR))
	for state(b, ours) == 1 {
		time.Sleep(time.Millisecond)
	}
	process, x := self(b), p.target(b, ours)
	var took []time.Duration
	for b.Loop() {
		var before, after Sight
		began := time.Now()
		must(b, "with", process.with(ours, &x, mayProbe, &before, &after, func(s int) error {
			_, err := probes(s)
			return err
		}))
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "median-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "p99-µs")
	b.ReportMetric(float64(took[len(took)-1].Nanoseconds())/1e3, "max-µs")
}
