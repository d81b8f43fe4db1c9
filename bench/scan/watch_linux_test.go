package main

import (
	"testing"
	"time"
)

func TestBusy(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Duration
	}{
		{"cpu  100 1 20 9999 888 3 4 5 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n", 1330 * time.Millisecond},
		{"cpu  1 2 3\n", 0},
		{"cpu  1 2 x 4 5 6 7 8\n", 0},
		{"cpu 0 0 0 0 0 1000000000000 0 0", 0},
		{"intr 1 2 3 4 5 6 7 8 9\n", 0},
		{"", 0},
	} {
		if got := parseBusy(c.text); got != c.want {
			t.Errorf("%q: busy for %v, want %v", c.text, got, c.want)
		}
	}
}

func FuzzParseBusy(f *testing.F) {
	f.Add("cpu  100 1 20 9999 888 3 4 5 0 0\n")
	f.Fuzz(func(t *testing.T, text string) {
		if d := parseBusy(text); d < 0 {
			t.Errorf("%q: busy for %v", text, d)
		}
	})
}
