package explore

import (
	"runtime"
	"testing"

	"github.com/closewait/closewait/model"
)

// BenchmarkDefaultBounds exhausts the default bounds, as the command does.
func BenchmarkDefaultBounds(b *testing.B) {
	for _, p := range model.Profiles() {
		b.Run(p.Name, func(b *testing.B) {
			benchmark(b, Of(p))
		})
	}
}

// BenchmarkLate adds the bound that costs most.
func BenchmarkLate(b *testing.B) {
	o := Of(model.Linux())
	o.Bounds.Late = 1
	benchmark(b, o)
}

func benchmark(b *testing.B, o Options) {
	var r *Result
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		var err error
		if r, err = Explore(b.Context(), o); err != nil {
			b.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if !r.Complete || len(r.Violations) > 0 {
			b.Fatalf("complete %v, %d invariants broken", r.Complete, len(r.Violations))
		}
	}
	b.ReportMetric(float64(r.States), "states")
	b.ReportMetric(float64(r.Transitions)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mtransitions/s")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/(1<<20), "MiB-allocated")
}
