package agree

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/privilege"
)

var (
	stories = flag.Int("stories", 500, "how many random stories TestRandomStoriesAgree plays")
	seed    = flag.Uint64("seed", 0, "the first random story's `seed`; the next ones have the next (0: any)")
	atOnce  = flag.Int("at-once", 24, "how many stories are played at the same time")
	shrinks = flag.Int("shrink", 3, "how many of the stories that differ are made as small as they get")
)

// soak is one run of many stories.
type soak struct {
	t     *testing.T
	first uint64
	next  atomic.Int64
	mu    sync.Mutex // guards what follows
	// differ are the stories on which the engines differ, by their seeds.
	differ          map[uint64]string
	slipped, unlike int
}

// TestRandomStoriesAgree plays random stories on the model and on the kernel. For
// a soak:
//
//	go test ./internal/lab/agree -run RandomStories -v -timeout 2h -stories 100000
//
// and to play one again: -stories 1 -seed its seed.
func TestRandomStoriesAgree(t *testing.T) {
	privilege.Need(t, "the model against this kernel")
	s := &soak{t: t, first: *seed, differ: map[uint64]string{}}
	if s.first == 0 {
		s.first = rand.Uint64N(1 << 40)
	}
	began := time.Now()
	var wg sync.WaitGroup
	for range min(*atOnce, *stories) {
		wg.Go(s.work)
	}
	wg.Wait()
	t.Logf("%d stories from seed %d in %v: %d differ, %d did so not again, %d could not be compared", *stories, s.first,
		time.Since(began).Round(time.Millisecond), len(s.differ), s.slipped, s.unlike)
	if most := *stories/50 + 2; s.slipped > most || s.unlike > most {
		t.Errorf("more than %d of them say nothing: is this machine too busy?", most)
	}
	left := *shrinks
	for seed, what := range s.differ {
		if left--; left < 0 {
			t.Errorf("seed %d: %s", seed, what)
			continue
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) { shrink(t, seed) })
	}
}

// work plays stories until all are.
func (s *soak) work() {
	k := &kernel{ctx: s.t.Context()}
	defer func() {
		if err := k.close(); err != nil {
			s.t.Error(err)
		}
	}()
	draw := lines()
	for s.t.Context().Err() == nil {
		i := s.next.Add(1) - 1
		if i >= int64(*stories) {
			break
		}
		seed := s.first + uint64(i)
		what := k.differs(draw.Example(int(seed)), again)
		s.mu.Lock()
		if what != "" {
			s.differ[seed] = what
		}
		for _, slip := range k.slipped {
			s.slipped++
			s.t.Logf("seed %d, not seen again: %s", seed, slip)
		}
		s.mu.Unlock()
		k.slipped = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unlike += k.unlike
}

// shrink fails with the smallest story that is left of a seed's when no line can
// be taken away without the engines agreeing.
func shrink(t *testing.T, seed uint64) {
	k := &kernel{ctx: t.Context()}
	defer func() {
		if err := k.close(); err != nil {
			t.Error(err)
		}
	}()
	story := lines().Example(int(seed))
	for size := 0; size != len(story); {
		size = len(story)
		for i := size - 1; i >= 0; i-- {
			without := slices.Delete(slices.Clone(story), i, i+1)
			if k.differs(without, 1) != "" {
				story = without
			}
		}
	}
	what := k.differs(story, again)
	if what == "" {
		what = fmt.Sprintf("they differ no more on\n%s", strings.Join(story, "\n"))
	}
	t.Errorf("seed %d: %s", seed, what)
}
