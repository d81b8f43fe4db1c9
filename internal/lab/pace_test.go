package lab

import (
	"slices"
	"testing"
	"time"

	"github.com/closewait/closewait/scenario"
)

// TestPaceKeepsTheOrderOfTimes: the kernel counts whole seconds, and what comes
// first in the story has to come first in the kernel.
func TestPaceKeepsTheOrderOfTimes(t *testing.T) {
	for _, row := range []struct {
		name, story string
		want        []Wait
	}{
		{"nothing set", "", []Wait{{time.Minute, 2}}},
		{"losses", "the link loses every RST", []Wait{{time.Minute, 4}}},
		{"keepalive within FIN_WAIT_2, in proportion", "local sets keepalive on idle 15s every 30s",
			[]Wait{{15 * time.Second, 1}, {30 * time.Second, 2}, {time.Minute, 4}}},
		{"keepalive after it, in order", "local sets keepalive on idle 15m every 1m15s",
			[]Wait{{time.Minute, 2}, {75 * time.Second, 3}, {15 * time.Minute, 4}}},
		{"the kernel's keepalive", "local sets keepalive on",
			[]Wait{{time.Minute, 2}, {75 * time.Second, 3}, {2 * time.Hour, 4}}},
		{"a short FIN_WAIT_2", "remote tunes fin-wait-2 20s", []Wait{{20 * time.Second, 1}, {time.Minute, 3}}},
	} {
		p := PaceOf(parse(t, row.story))
		if !slices.Equal(p.Waits, row.want) {
			t.Errorf("%s: %v, want %v", row.name, p.Waits, row.want)
		}
		for _, w := range row.want {
			if got := p.seconds(w.Story); got != w.Seconds {
				t.Errorf("%s: %v takes %d s, want %d", row.name, w.Story, got, w.Seconds)
			}
		}
	}
	if p := RealPace(); p.seconds(90*time.Second) != 90 || p.cap() != 120*time.Second {
		t.Error("the real pace is not real")
	}
}

func TestPaceCompressesAUserTimeout(t *testing.T) {
	p := PaceOf(nil)
	for _, row := range []struct{ story, kernel time.Duration }{
		{100 * time.Millisecond, 100 * time.Millisecond},
		{time.Second, time.Second},
		// 0.2 + 0.4 + 0.8 as they are, 1.6 in 1 s, and half of 3.2 in half a second.
		{4600 * time.Millisecond, 2900 * time.Millisecond},
		{924600 * time.Millisecond, 14400 * time.Millisecond},
	} {
		if got := p.compressed(row.story); (got - row.kernel).Abs() > 50*time.Millisecond {
			t.Errorf("%v takes %v, want %v", row.story, got, row.kernel)
		}
	}
}

func parse(t testing.TB, src string) *scenario.Story {
	t.Helper()
	s, err := scenario.Parse("x.story", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What a closed window holds up lives by tcp_rto_max_ms, once nobody owns it.
func TestPaceLeavesABlockedOrphanItsLife(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"local writes until blocked → ?\nlocal closes":  rtoMax,
		"local writes until blocked → ?\nlocal exits":   rtoMax,
		"local writes until blocked → ?\nremote closes": time.Second,
		"local closes\nlocal writes until blocked → ?":  time.Second,
		"local writes 10\nlocal closes":                 time.Second,
	} {
		if got := PaceOf(parse(t, text)).RTOMax; got != want {
			t.Errorf("%q: at most %v between two probes, want %v", text, got, want)
		}
	}
}
