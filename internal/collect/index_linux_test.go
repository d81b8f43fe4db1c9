package collect

import (
	"math/rand/v2"
	"testing"
)

func TestIndexAgreesWithAMap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	cookies := map[string]func(i int) uint64{
		"counted up": func(i int) uint64 { return uint64(i + 1) },
		"two ranges": func(i int) uint64 { return uint64(i/2+1) + uint64(i%2)<<32 },
		"repeated":   func(int) uint64 { return rnd.Uint64N(500) + 1 },
		"any":        func(int) uint64 { return rnd.Uint64() | 1 },
	}
	for name, cookie := range cookies {
		t.Run(name, func(t *testing.T) {
			var x index
			if name != "counted up" { // that one grows from nothing
				x.reserve(rnd.IntN(4000))
			}
			want := map[uint64]int32{}
			for i := range 5000 {
				c := cookie(i)
				was, known := want[c]
				if at, ok := x.find(c); ok != known || ok && at != was {
					t.Fatalf("cookie %d is at %d, %v; want %d, %v", c, at, ok, was, known)
				}
				if !known {
					want[c], was = int32(i), int32(i)
				}
				if at, ok := x.put(c, int32(i)); ok != known || at != was {
					t.Fatalf("put of cookie %d gave %d, %v; want %d, %v", c, at, ok, was, known)
				}
			}
			for c, at := range want {
				if got, ok := x.find(c); !ok || got != at {
					t.Errorf("cookie %d is at %d, %v; want %d", c, got, ok, at)
				}
			}
			if x.has(1<<63) != (want[1<<63] != 0) {
				t.Error("a cookie is found that was never put")
			}
		})
	}
}
