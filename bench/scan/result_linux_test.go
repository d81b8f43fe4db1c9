package main

import (
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/figure"
)

func costs(millis ...int) []cost {
	var all []cost
	for _, ms := range millis {
		all = append(all, cost{wall: time.Duration(ms) * time.Millisecond, cpu: time.Millisecond, peakKiB: int64(ms) * 1024})
	}
	return all
}

func TestRatiosAreTakenRoundByRound(t *testing.T) {
	// One disturbed round slows both down: no ratio suffers.
	r := compare("ss", "closewait", costs(100, 1000, 120), costs(10, 100, 12))
	if r.Median != 10 || r.Min != 10 || r.Max != 10 {
		t.Errorf("ratio is %+v, want 10 in each round", r)
	}
}

// at is a measurement in which closewait takes ms and peak MiB, and the others
// that many times as long.
func at(sockets, ms, peak int, rows, owners float64) measurement {
	one := summarize(scanName, costs(ms))
	one.PeakMiB.Max = float64(peak)
	return measurement{
		Sockets: sockets, Commands: []series{one},
		Ratios: []ratio{{Of: ssName, Spread: figure.Spread{Median: rows}}, {Of: ssOwnersName, Spread: figure.Spread{Median: owners}}},
	}
}

func TestBounds(t *testing.T) {
	for _, c := range []struct {
		name  string
		all   []measurement
		holds string // one letter for each bound: y or n
	}{
		{"all kept", []measurement{at(0, 59, 18, 0.1, 0.1), at(100_000, 150, 119, 1, 15)}, "yyyy"},
		{"all broken", []measurement{at(0, 61, 18, 0.1, 0.1), at(100_000, 150, 121, 0.9, 14.9)}, "nnnn"},
		{"other sizes have no verdict", []measurement{at(1000, 500, 500, 0.1, 0.1)}, ""},
		{"procfs is not judged", []measurement{{Sockets: 100_000, Commands: []series{summarize(scanName, costs(1))}, Ratios: []ratio{{Of: scanName + " --reader procfs"}}}}, "y"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			for _, b := range judge(c.all) {
				got += map[bool]string{true: "y", false: "n"}[b.Holds]
			}
			if got != c.holds {
				t.Errorf("bounds hold: %q, want %q in %+v", got, c.holds, judge(c.all))
			}
		})
	}
}

func TestGrowthIsWhatOneMoreConnectionAdds(t *testing.T) {
	g := growths([]measurement{at(0, 20, 20, 0, 0), at(1000, 25, 25, 0, 0)})
	if len(g) != 1 || math.Abs(g[0].MicrosEach-5) > 1e-9 || math.Abs(g[0].KiBEach-5.12) > 1e-9 {
		t.Errorf("growth is %+v, want 5 µs and 5.12 KiB each", g)
	}
}

func TestOutputIsChecked(t *testing.T) {
	const head = "Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"
	const row = "1 0 127.0.0.1:4000 127.0.0.1:80"
	finding := func(cause, stuck, count, title string) string {
		return `{"findings":[{"cause":"` + cause + `","stuck":` + stuck + `,"count":` + count + `,"owner":{"title":"` + title + `"},"netns":{"id":7}},{"cause":"ownerless","stuck":true,"count":9,"owner":null}]}`
	}
	for _, c := range []struct {
		name  string
		check func(io.Reader, int, bool) error
		out   string
		young bool
		want  string // "" is right
	}{
		{"rows", checkRows, head + row + "\n" + row + "\n", false, ""},
		{"a row is missing", checkRows, head + row + "\n", false, "1 rows for 2"},
		{"owned rows", checkOwnedRows, head + strings.Repeat(row+" users:((\"x\",pid=1,fd=3))\n", 2), false, ""},
		{"owners are missing", checkOwnedRows, head + row + "\n" + row + "\n", false, "2 rows, 0 with an owner"},
		{"report", checkReport(7), finding("eof-unread", "true", "2", title), false, ""},
		{"young", checkReport(7), finding("eof-unread", "false", "2", title), true, ""},
		{"not yet stuck", checkReport(7), finding("eof-unread", "false", "2", title), false, "0 of 2"},
		{"other cause", checkReport(7), finding("data-unread", "true", "2", title), false, "0 of 2"},
		{"other owner", checkReport(7), finding("eof-unread", "true", "2", "x"), false, "0 of 2"},
		{"other namespace", checkReport(8), finding("eof-unread", "true", "2", title), false, "0 of 2"},
		{"too few", checkReport(7), finding("eof-unread", "true", "1", title), false, "1 of 2"},
		{"no report", checkReport(7), "panic", false, "invalid character"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.check(strings.NewReader(c.out), 2, c.young)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
		})
	}
}
