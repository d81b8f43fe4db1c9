package gate_test

import (
	"os"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/gate"
)

// Nobody has looked from the beginning to the first look either.
func TestTheTimeBeforeTheFirstLookIsAGap(t *testing.T) {
	p := gate.NewPolling(gate.TraceNone)
	if err := p.Begin(t.Context(), os.Getpid()); err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	time.Sleep(50 * time.Millisecond)
	if _, err := p.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := p.Describe(); d.LongestGapMS < 50 || d.Looks != 1 {
		t.Errorf("%d looks, and at most %v ms between two", d.Looks, d.LongestGapMS)
	}
}
