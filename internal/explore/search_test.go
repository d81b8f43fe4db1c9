package explore

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/closewait/closewait/model"
)

func small(p model.Profile) Options {
	o := Of(p)
	o.Bounds = Bounds{Octets: 1, Losses: 1, Calls: CallWrite | CallRead | CallClose}
	return o
}

// The same search says the same, to the last move.
func TestSearchIsDeterministic(t *testing.T) {
	told := func() string {
		r := explore(t, small(model.Linux()))
		var b strings.Builder
		for _, a := range r.Answers {
			for _, p := range []*Path{a.NothingLost, a.NoResetLost, a.ResetLost} {
				if p != nil {
					b.WriteString(a.Question.Name + "\n" + p.Steps())
				}
			}
		}
		return b.String()
	}
	if first, second := told(), told(); first != second {
		t.Errorf("two searches differ:\n%s\n%s", first, second)
	}
}

// Symmetry halves the states and changes no answer.
func TestSymmetryChangesNoAnswer(t *testing.T) {
	for _, name := range []string{"linux", "xnu", "windows"} {
		o := small(profile(t, name))
		o.Bounds.Calls = AllCalls
		folded := explore(t, o)
		o.NoSymmetry = true
		plain := explore(t, o)
		if 2*folded.States < plain.States || folded.States > plain.States*6/10 {
			t.Errorf("%s: %d states with symmetry, %d without", name, folded.States, plain.States)
		}
		if folded.Depth != plain.Depth {
			t.Errorf("%s: depth %d with symmetry, %d without", name, folded.Depth, plain.Depth)
		}
		for i, a := range folded.Answers {
			b := plain.Answers[i]
			got := [3]int{length(a.NothingLost), length(a.NoResetLost), length(a.ResetLost)}
			want := [3]int{length(b.NothingLost), length(b.NoResetLost), length(b.ResetLost)}
			if got != want {
				t.Errorf("%s, %s: stories of %v moves with symmetry, %v without", name, a.Question.Name, got, want)
			}
		}
	}
}

func length(p *Path) int {
	if p == nil {
		return 0
	}
	return p.Asked
}

func TestBoundOnStatesEndsTheSearch(t *testing.T) {
	o := Of(model.Linux())
	o.Bounds.States = 1000
	r, err := Explore(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Complete || r.States < 1000 || r.States > 1100 || r.Checked == len(Invariants()) {
		t.Errorf("complete %v with %d states, %d invariants checked", r.Complete, r.States, r.Checked)
	}
}

func TestCallingOffEndsTheSearch(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Explore(ctx, Of(model.Linux())); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

func TestOptionsThatCanNotBe(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"octets":                           func(o *Options) { o.Bounds.Octets = 16 },
		"in flight":                        func(o *Options) { o.Bounds.InFlight = 9 },
		"states":                           func(o *Options) { o.Bounds.States = -1 },
		"start from one of model.Profiles": func(o *Options) { o.Profiles[1] = model.Profile{} },
		"scale the profile":                func(o *Options) { o.Profiles = [2]model.Profile{model.Linux(), model.Linux()} },
	} {
		o := small(model.Linux())
		change(&o)
		if _, err := Explore(t.Context(), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want one about %s", err, name)
		}
	}
}

// A search that can hold little in flight says what it cut.
func TestCutIsCounted(t *testing.T) {
	o := small(model.Linux())
	o.Bounds.InFlight = 1
	r, err := Explore(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Cut == 0 {
		t.Error("nothing was cut")
	}
}

func TestWorldSurvivesItsKey(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		w := randomWorld(rng)
		k := w.key()
		var back world
		k.world(&back)
		if back != w {
			t.Fatalf("%+v became %+v", w, back)
		}
		m := k.mirrored()
		if twice := m.mirrored(); twice != k {
			t.Fatalf("the mirror image of the mirror image of %x is %x", k, twice)
		}
		m.world(&back)
		if mirrorOf(w) != back {
			t.Fatalf("the mirror image of %+v is %+v", w, back)
		}
	}
}

func randomWorld(rng *rand.Rand) world {
	w := world{conn: [2]uint32{rng.Uint32(), rng.Uint32()}}
	for side := range 2 {
		for range rng.IntN(mostInFlight + 1) {
			w.flight[side].add(segID(1 + rng.IntN(1<<16-1)))
		}
		w.wrote[side], w.got[side] = uint8(rng.IntN(16)), uint8(rng.IntN(16))
	}
	w.lost, w.duplicated, w.overtook, w.late = uint8(rng.IntN(256)), uint8(rng.IntN(256)), uint8(rng.IntN(256)), uint8(rng.IntN(256))
	w.memory = memory(rng.IntN(8))
	return w
}

func mirrorOf(w world) world {
	w.conn[0], w.conn[1] = w.conn[1], w.conn[0]
	w.flight[0], w.flight[1] = w.flight[1], w.flight[0]
	w.wrote[0], w.wrote[1] = w.wrote[1], w.wrote[0]
	w.got[0], w.got[1] = w.got[1], w.got[0]
	w.memory = w.memory.mirrored()
	return w
}

// The table against a map, and with keys whose hashes are alike.
func TestTableFindsWhatWasAdded(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	table, known := newTable(), map[key]int{}
	for range 100_000 {
		w := randomWorld(rng)
		w.conn = [2]uint32{rng.Uint32N(300), rng.Uint32N(300)}
		w.flight = [2]queue{}
		w.wrote, w.got = [2]uint8{}, [2]uint8{}
		w.lost, w.duplicated, w.overtook, w.late, w.memory = 0, 0, 0, 0, 0
		k := w.key()
		h := k.hash() &^ 0xfffff // many to a slot
		if rng.IntN(2) == 0 {
			h = k.hash()
		}
		at, there := known[k]
		if there && table.find(&k) != at && h == k.hash() {
			t.Fatalf("%x is at %d, want %d", k, table.find(&k), at)
		}
		if there {
			continue
		}
		n, isNew := table.add(&k, k.hash(), 0, 0)
		if !isNew || n != len(known) {
			t.Fatalf("a new state got index %d, new %v, want %d", n, isNew, len(known))
		}
		known[k] = n
		if again, isNew := table.add(&k, k.hash(), 0, 0); isNew || again != n {
			t.Fatalf("the same state again got index %d, new %v", again, isNew)
		}
	}
	for k, at := range known {
		if got := table.find(&k); got != at {
			t.Fatalf("%x is at %d, want %d", k, got, at)
		}
	}
}

func TestParseCallsReadsWhatStringWrites(t *testing.T) {
	for c := Calls(1); c <= AllCalls; c++ {
		if got, err := ParseCalls(c.String()); err != nil || got != c {
			t.Fatalf("%s became %s, error %v", c, got, err)
		}
	}
	if _, err := ParseCalls("write,sing"); err == nil || !strings.Contains(err.Error(), `"sing"`) {
		t.Errorf("error %v, want one that names sing", err)
	}
}

func FuzzParseCalls(f *testing.F) {
	f.Add("write,read")
	f.Add("")
	f.Add(",close ,abort")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCalls(text)
		if err != nil {
			return
		}
		if again, err := ParseCalls(c.String()); err != nil || again != c {
			t.Errorf("%q is %v, and that again is %v, error %v", text, c, again, err)
		}
	})
}
