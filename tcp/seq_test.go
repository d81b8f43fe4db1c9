package tcp_test

import (
	"fmt"
	"testing"
	"testing/quick"

	"github.com/closewait/closewait/tcp"
)

func TestOrderSurvivesTheWrap(t *testing.T) {
	last := tcp.Seq(1<<32 - 1)
	if !last.Before(0) || !tcp.Seq(0).After(last) || last.After(0) || last.Before(last) {
		t.Error("2**32-1 does not come just before 0")
	}
	if last.Add(5) != 4 || tcp.Seq(4).From(last) != 5 || last.From(4) != -5 {
		t.Error("arithmetic does not wrap")
	}
	if last.Max(3) != 3 || last.Min(3) != last {
		t.Error("the later of 2**32-1 and 3 is 3")
	}
	for _, row := range []struct {
		s, left tcp.Seq
		size    uint32
		want    bool
	}{{0, last, 1, false}, {0, last, 2, true}, {last, last, 0, false}, {last, last, 1, true}, {last - 1, last, 1 << 31, false}} {
		if got := row.s.Within(row.left, row.size); got != row.want {
			t.Errorf("%d within %d octets from %d on: %v", row.s, row.size, row.left, got)
		}
	}
}

// Order is that of plain numbers, wherever on the circle one looks.
func TestOrderDependsOnDistanceOnly(t *testing.T) {
	same := func(origin uint32, a, b int16, size uint16) bool {
		s, u := tcp.Seq(origin)+tcp.Seq(a), tcp.Seq(origin)+tcp.Seq(b)
		return s.Before(u) == (a < b) && s.After(u) == (a > b) && s.From(u) == int32(a)-int32(b) &&
			s.Within(u, uint32(size)) == (int32(a) >= int32(b) && int32(a) < int32(b)+int32(size))
	}
	if err := quick.Check(same, nil); err != nil {
		t.Error(err)
	}
}

func ExampleSeq() {
	next := tcp.Seq(4294967290) // a window of 100 octets that wraps
	fmt.Println(next.Add(10), tcp.Seq(4).After(next), tcp.Seq(4).Within(next, 100))
	// Output: 4 true true
}
