package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

func TestEverythingHasAName(t *testing.T) {
	seen := map[string]bool{}
	name := func(what, s string) {
		t.Helper()
		if s == "" || seen[what+s] {
			t.Errorf("%s: the name %q is empty or used twice", what, s)
		}
		seen[what+s] = true
	}
	for k := range kinds + 1 {
		name("kind", k.String())
	}
	for e := range EOPNOTSUPP + 2 {
		name("errno", e.String())
		if got, ok := ParseErrno(e.Error()); e <= EOPNOTSUPP && (!ok || got != e) {
			t.Errorf("ParseErrno(%q) = %v, %v", e, got, ok)
		}
	}
	if e, ok := ParseErrno("EWOULDBLOCK"); !ok || e != EAGAIN {
		t.Errorf("EWOULDBLOCK is %v, %v", e, ok)
	}
	for d := Unacceptable; d <= Filtered; d++ {
		name("drop", d.String())
	}
	for n := Connected; n <= Reopen; n <<= 1 {
		name("note", n.String())
	}
	if s := (Failed | Ended).String(); s != "failed,ended" {
		t.Errorf("a set of notes is %q", s)
	}
	if NotDropped.String() != "" || Drop(200).String() == "" || Timer(200).String() == "" {
		t.Error("a value out of range has no name")
	}
	if (90*Second).String() != "1m30s" || Second.Duration().Seconds() != 1 {
		t.Error("time is not package time's")
	}
}

func TestEffectsHoldABoundedNumber(t *testing.T) {
	var fx Effects
	some := tcp.Segment{Seq: 7}
	for range MaxSegments + 3 {
		fx.add(some)
	}
	if fx.Len() != MaxSegments || len(fx.Segments()) != MaxSegments {
		t.Errorf("%d segments", fx.Len())
	}
	if fx.Segment(-1).Seq != 0 || fx.Segment(MaxSegments).Seq != 0 || fx.Segment(0) != some {
		t.Error("the segments are not those that were added")
	}
}
