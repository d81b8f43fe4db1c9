package figure

import (
	"fmt"
	"slices"
)

// Spread is what several rounds gave.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// SpreadOf is all zero for no values.
func SpreadOf(values []float64) Spread {
	v := slices.Sorted(slices.Values(values))
	if len(v) == 0 {
		return Spread{}
	}
	middle := v[len(v)/2]
	if len(v)%2 == 0 {
		middle = (v[len(v)/2-1] + middle) / 2
	}
	return Spread{Median: middle, Min: v[0], Max: v[len(v)-1]}
}

// Text is "median (min … max)".
func (s Spread) Text(digits int) string {
	return fmt.Sprintf("%.*f (%.*f … %.*f)", digits, s.Median, digits, s.Min, digits, s.Max)
}
