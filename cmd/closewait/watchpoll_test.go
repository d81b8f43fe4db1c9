package main

import (
	"testing"

	"github.com/closewait/closewait/internal/observe"
)

// What finds no room is counted, and the count is told.
func TestWatchCountsWhatFindsNoRoom(t *testing.T) {
	p := (&watching{env: &env{}}).newPoller(nil, "")
	for range mostTold + 7 {
		p.hear(&observe.Happening{Kind: observe.HappenedEnd})
	}
	if n := len(p.told); n != mostTold {
		t.Errorf("%d wait, want %d", n, mostTold)
	}
	if n := <-p.lost; n != 7 {
		t.Errorf("counted %d, want 7", n)
	}
	if events := p.drain(); len(p.told) != 0 || len(events) != 0 {
		t.Errorf("%d wait after all were taken in, and %d events of connections that nobody knows", len(p.told), len(events))
	}
}
