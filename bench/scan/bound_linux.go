package main

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

// bound is a promise and whether it was kept.
type bound struct {
	What string `json:"what"`
	// Got is a median; it is to be at least or at most Want.
	Got     float64 `json:"got"`
	Want    float64 `json:"want"`
	AtLeast bool    `json:"at_least"`
	Holds   bool    `json:"holds"`
}

func atLeast(what string, got, want float64) bound {
	return bound{What: what, Got: got, Want: want, AtLeast: true, Holds: got >= want}
}

func atMost(what string, got, want float64) bound {
	return bound{What: what, Got: got, Want: want, Holds: got <= want}
}

// judge compares what was measured with what is wanted; sizes that were not
// measured have no verdict.
func judge(all []measurement) []bound {
	var out []bound
	for _, m := range all {
		switch m.Sockets {
		case 0:
			out = append(out, atMost("at rest: milliseconds", m.Commands[0].WallMS.Median, atRestMS))
		case boundAt:
			for _, r := range m.Ratios {
				switch r.Of {
				case ssOwnersName:
					out = append(out, atLeast("at 100,000: times as fast as "+r.Of, r.Median, fasterThanSS))
				case ssName:
					out = append(out, atLeast("at 100,000: times as fast as "+r.Of, r.Median, slowerThanRows))
				}
			}
			out = append(out, atMost("at 100,000: peak memory, MiB", m.Commands[0].PeakMiB.Max, peakMiB))
		}
	}
	return out
}
