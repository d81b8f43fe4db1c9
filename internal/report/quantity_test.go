package report

import (
	"math"
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	const ms, day = time.Millisecond, 24 * time.Hour
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{-time.Second, "0 ms"},
		{0, "0 ms"},
		{420 * time.Microsecond, "0.4 ms"},
		{996 * time.Microsecond, "1 ms"},
		{31 * ms, "31 ms"},
		{999*ms + 400*time.Microsecond, "999 ms"},
		{999*ms + 600*time.Microsecond, "1 s"},
		{1200 * ms, "1.2 s"},
		{9949 * ms, "9.9 s"},
		{9960 * ms, "10 s"},
		{12 * time.Second, "12 s"},
		{59400 * ms, "59 s"},
		{59600 * ms, "1 min"},
		{200 * time.Second, "3 min 20 s"},
		{10*time.Minute - 400*ms, "10 min"},
		{14 * time.Minute, "14 min"},
		{59*time.Minute + 45*time.Second, "1 h"},
		{3*time.Hour + 40*time.Minute, "3 h 40 min"},
		{2 * day, "2 d"},
		{5*day + 3*time.Hour, "5 d 3 h"},
		{412 * day, "412 d"},
		{math.MaxInt64, "106,751 d"},
	} {
		if got := span(c.d); got != c.want {
			t.Errorf("span(%v) = %q, want %q", c.d, got, c.want)
		}
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 2318: "2,318", 1234567: "1,234,567",
		-1: "-1", -1000: "-1,000", math.MinInt64: "-9,223,372,036,854,775,808"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %q, want %q", n, got, want)
		}
	}
	if got := count(1, "socket", "sockets"); got != "1 socket" {
		t.Error(got)
	}
}

func TestRate(t *testing.T) {
	for perHour, want := range map[float64]string{126: "2.1 a minute", 7200: "2 a second", 1: "1 an hour", 0.5: "12 a day",
		-126: "2.1 a minute", math.Inf(1): "? a second", 3600 * 1240: "1,240 a second"} {
		if got := rate(perHour); got != want {
			t.Errorf("rate(%v) = %q, want %q", perHour, got, want)
		}
	}
}

func TestSeconds(t *testing.T) {
	for s, want := range map[float64]time.Duration{-1: 0, 1.5: 1500 * time.Millisecond, 1e300: math.MaxInt64, math.Inf(1): math.MaxInt64, math.Inf(-1): 0} {
		if got := seconds(s); got != want {
			t.Errorf("seconds(%v) = %v, want %v", s, got, want)
		}
	}
	if got := seconds(math.NaN()); got != 0 {
		t.Errorf("seconds(NaN) = %v", got)
	}
}

// A time is shown with its date unless that is today's, where the reader is.
func TestClock(t *testing.T) {
	zone := time.FixedZone("east", 10*3600)
	c := Style{Location: zone}.clock(taken)
	for _, row := range []struct {
		t         time.Time
		at, about string
	}{
		{taken, "00:03:22", "00:03"}, // already the 23rd there
		{taken.Add(-time.Hour), "2026-11-22 23:03:22", "2026-11-22 23:03"},
		{taken.Add(24 * time.Hour), "2026-11-24 00:03:22", "2026-11-24 00:03"},
	} {
		if got := c.at(row.t); got != row.at {
			t.Errorf("at(%v) = %q, want %q", row.t, got, row.at)
		}
		if got := c.about(row.t); got != row.about {
			t.Errorf("about(%v) = %q, want %q", row.t, got, row.about)
		}
	}
}
