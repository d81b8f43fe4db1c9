package main

import "github.com/closewait/closewait/internal/figure"

// What closewait wants of itself: at this many connections the whole command is
// this many times faster than ss with owners, no slower than ss without, and
// within this memory; with none it takes no time that anybody notices.
const (
	boundAt        = 100_000
	fasterThanSS   = 15
	slowerThanRows = 1
	peakMiB        = 120
	atRestMS       = 60
)

// Judged implements figure.Result.
func (r *result) Judged() []figure.Bound { return r.Bounds }

// judge compares what was measured with what is wanted; sizes that were not
// measured have no verdict.
func judge(all []measurement) []figure.Bound {
	var out []figure.Bound
	for _, m := range all {
		switch m.Sockets {
		case 0:
			out = append(out, figure.AtMost("at rest: milliseconds", m.Commands[0].WallMS.Median, atRestMS))
		case boundAt:
			for _, r := range m.Ratios {
				switch r.Of {
				case ssOwnersName:
					out = append(out, figure.AtLeast("at 100,000: times as fast as "+r.Of, r.Median, fasterThanSS))
				case ssName:
					out = append(out, figure.AtLeast("at 100,000: times as fast as "+r.Of, r.Median, slowerThanRows))
				}
			}
			out = append(out, figure.AtMost("at 100,000: peak memory, MiB", m.Commands[0].PeakMiB.Max, peakMiB))
		}
	}
	return out
}
