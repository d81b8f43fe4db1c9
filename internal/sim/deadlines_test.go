package sim

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/closewait/closewait/model"
)

// The heap against a list that is searched.
func TestDeadlinesComeInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var d deadlines
	all := make([]*socket, 50)
	for i := range all {
		all[i] = &socket{id: uint64(i), place: -1}
	}
	for range 5000 {
		s := all[r.IntN(len(all))]
		d.set(s, model.Time(1+r.IntN(20)), r.IntN(3) > 0)
		var want *socket
		for _, s := range all {
			if s.place >= 0 && (want == nil || s.due < want.due) {
				want = s
			}
		}
		at, on := d.next()
		if on != (want != nil) || on && (d.heap[0] != want || at != want.due) {
			t.Fatalf("next is %v, %v; want %+v", at, on, want)
		}
		if on && !slices.Contains(all, d.heap[0]) {
			t.Fatal("a stranger in the heap")
		}
	}
}
