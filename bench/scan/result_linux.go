package main

import (
	"time"

	"github.com/closewait/closewait/internal/figure"
)

// result is all that was measured; -json writes it.
type result struct {
	Machine machine `json:"machine"`
	Rounds  int     `json:"rounds"`
	// FloorMiB is this process's own peak: no child's is ever told as less, for
	// until it executes its program it shares the memory of who started it
	// (exec_mmap in fs/exec.c).
	FloorMiB    float64        `json:"peak_floor_mib"`
	Populations []measurement  `json:"populations"`
	Growth      []growth       `json:"growth"`
	Bounds      []figure.Bound `json:"bounds"`
}

// measurement is one size of the population. The first command is the one that
// the bounds are for.
type measurement struct {
	Sockets int `json:"sockets"`
	// Seen is how many CLOSE_WAIT sockets closewait found in all namespaces: what
	// is more than Sockets is not of this measurement, and ss does not show it.
	Seen int `json:"seen"`
	// OtherCPUs is how many processors everything else on the machine kept busy
	// meanwhile. closewait uses two where two are free.
	OtherCPUs float64  `json:"other_cpus"`
	Commands  []series `json:"commands"`
	Ratios    []ratio  `json:"ratios"`
}

// cost is what one run took.
type cost struct {
	wall, cpu time.Duration
	peakKiB   int64
}

// series is one command's runs.
type series struct {
	Command string        `json:"command"`
	WallMS  figure.Spread `json:"wall_ms"`
	CPUMS   figure.Spread `json:"cpu_ms"`
	PeakMiB figure.Spread `json:"peak_mib"`
}

// ratio is the wall time of one command over another's, round by round: what
// disturbs a round mostly disturbs both.
type ratio struct {
	Of   string `json:"of"`
	Over string `json:"over"`
	figure.Spread
}

// each maps runs to figures and spreads them.
func each(runs []cost, of func(cost) float64) figure.Spread {
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = of(r)
	}
	return figure.SpreadOf(values)
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func summarize(command string, runs []cost) series {
	return series{
		Command: command,
		WallMS:  each(runs, func(c cost) float64 { return millis(c.wall) }),
		CPUMS:   each(runs, func(c cost) float64 { return millis(c.cpu) }),
		PeakMiB: each(runs, func(c cost) float64 { return float64(c.peakKiB) / 1024 }),
	}
}

func compare(of, over string, dividends, divisors []cost) ratio {
	values := make([]float64, len(dividends))
	for i := range dividends {
		values[i] = float64(dividends[i].wall) / float64(divisors[i].wall)
	}
	return ratio{Of: of, Over: over, Spread: figure.SpreadOf(values)}
}

// growth is how a command's cost grows from one size to the next.
type growth struct {
	Command string `json:"command"`
	From    int    `json:"from"`
	To      int    `json:"to"`
	// MicrosEach and KiBEach are what one more connection adds to the medians.
	MicrosEach float64 `json:"us_each"`
	KiBEach    float64 `json:"kib_each"`
}

func growths(all []measurement) []growth {
	var out []growth
	for i := 1; i < len(all); i++ {
		less, more := all[i-1], all[i]
		n := float64(more.Sockets - less.Sockets)
		for j, s := range more.Commands {
			out = append(out, growth{
				Command: s.Command, From: less.Sockets, To: more.Sockets,
				MicrosEach: (s.WallMS.Median - less.Commands[j].WallMS.Median) * 1000 / n,
				KiBEach:    (s.PeakMiB.Median - less.Commands[j].PeakMiB.Median) * 1024 / n,
			})
		}
	}
	return out
}
