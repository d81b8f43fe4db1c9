package figure

import (
	"fmt"
	"io"
)

// Bound is a promise and whether it was kept.
type Bound struct {
	What string `json:"what"`
	// Got is to be at least or at most Want.
	Got     float64 `json:"got"`
	Want    float64 `json:"want"`
	AtLeast bool    `json:"at_least"`
	Holds   bool    `json:"holds"`
}

// AtLeast is a bound from below.
func AtLeast(what string, got, want float64) Bound {
	return Bound{What: what, Got: got, Want: want, AtLeast: true, Holds: got >= want}
}

// AtMost is a bound from above.
func AtMost(what string, got, want float64) Bound {
	return Bound{What: what, Got: got, Want: want, Holds: got <= want}
}

// Verdicts writes bounds as the rows of a table, for a tabwriter.
func Verdicts(w io.Writer, bounds []Bound) {
	if len(bounds) > 0 {
		fmt.Fprintln(w, "\nbound\twanted\tmeasured\t")
	}
	for _, b := range bounds {
		relation, verdict := "≤", "holds"
		if b.AtLeast {
			relation = "≥"
		}
		if !b.Holds {
			verdict = "DOES NOT HOLD"
		}
		fmt.Fprintf(w, "%s\t%s %.3g\t%.3g\t%s\n", b.What, relation, b.Want, b.Got, verdict)
	}
}
