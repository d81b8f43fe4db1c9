package watch

import (
	"strings"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
)

// bars are the steps of a chart of one line.
var bars = []rune(" ▁▂▃▄▅▆▇█")

// Sparkline draws the last width values, from 0 or, where that would hardly show a
// difference, from their smallest on. No value is drawn as nothing unless it is 0.
func Sparkline(values []int, width int) string {
	if width <= 0 {
		return ""
	}
	values = values[max(0, len(values)-width):]
	low, high := 0, 0
	for i, v := range values {
		if i == 0 || v < low {
			low = v
		}
		high = max(high, v)
	}
	if high == low || high-low > high/4 {
		low = 0
	}
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", width-len(values)))
	for _, v := range values {
		b.WriteRune(bar(v, low, high))
	}
	return b.String()
}

func bar(v, low, high int) rune {
	steps := len(bars) - 1
	if v <= 0 {
		return bars[0]
	}
	return bars[max(1, (v-low)*steps/(high-low))]
}

// AgeSteps are the upper ends of an age histogram's columns; a last column has
// what is older. AgeNames name the columns.
var (
	AgeSteps = [...]time.Duration{10 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 24 * time.Hour}
	AgeNames = [...]string{"<10s", "<1m", "<10m", "<1h", "<1d", "≥1d"}
)

// Ages counts connections by age.
type Ages [len(AgeSteps) + 1]int

// agesOf counts a finding's sockets. Of an age that is a bracket, the lower end is
// what is certain.
func agesOf(f *diagnose.Finding) (a Ages) {
	for i := range f.Sockets {
		a.add(f.Sockets[i].Age)
	}
	return a
}

func (a *Ages) add(age diagnose.Age) {
	for i, step := range AgeSteps {
		if age.AtLeastS < step.Seconds() {
			a[i]++
			return
		}
	}
	a[len(AgeSteps)]++
}

// String draws the histogram, a column for each step.
func (a Ages) String() string {
	high := 0
	for _, n := range a {
		high = max(high, n)
	}
	var b strings.Builder
	for _, n := range a {
		if n == 0 {
			b.WriteRune('·')
			continue
		}
		b.WriteRune(bar(n, 0, high))
	}
	return b.String()
}
