package agree

import (
	"testing"

	"github.com/closewait/closewait/internal/privilege"
)

// TestWhatWasFoundHoldsOnTheKernel plays the stories of what differed once.
func TestWhatWasFoundHoldsOnTheKernel(t *testing.T) {
	privilege.Need(t, "the model against this kernel")
	k := &kernel{ctx: t.Context()}
	defer func() {
		if err := k.close(); err != nil {
			t.Error(err)
		}
	}()
	for name, s := range found(t) {
		t.Run(name, func(t *testing.T) {
			r, err := k.play(s)
			for n := 1; n < again && err == nil && !r.Holds(); n++ {
				r, err = k.play(s)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range r.Failures {
				t.Error(f)
			}
		})
	}
}
