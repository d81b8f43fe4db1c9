package explore

import (
	"math/rand/v2"
	"testing"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// plainWorld is a state without any of the search's devices: two connections
// as they are, in absolute time, and segments as they are. It is the oracle.
type plainWorld struct {
	conns                            [2]model.Conn
	flight                           [2][mostInFlight]tcp.Segment // to each side
	flying                           [2]int
	wrote, got                       [2]uint8
	zero                             [2]bool
	lost, duplicated, overtook, late uint8
	rstLost                          bool
	now                              model.Time
}

func plainStart(t *testing.T, o *Options) plainWorld {
	t.Helper()
	conns, flight, err := start(o)
	if err != nil {
		t.Fatal(err)
	}
	w := plainWorld{conns: conns, now: model.Epoch}
	for side := range flight {
		w.flying[side] = copy(w.flight[side][:], flight[side])
	}
	return w
}

func (w *plainWorld) remove(side, i int) tcp.Segment {
	seg := w.flight[side][i]
	copy(w.flight[side][i:], w.flight[side][i+1:w.flying[side]])
	w.flying[side]--
	w.flight[side][w.flying[side]] = tcp.Segment{}
	return seg
}

// step puts an event to one side's model; false if too much would be in flight.
func (w *plainWorld) step(o *Options, side int, e model.Event) (model.Result, bool) {
	next, fx := model.Step(&o.Profiles[side], w.conns[side], e, w.now)
	w.conns[side] = next
	for _, seg := range fx.Segments() {
		if w.flying[1-side] == mostInFlight {
			return fx.Result, false
		}
		w.flight[1-side][w.flying[1-side]] = seg
		w.flying[1-side]++
	}
	return fx.Result, true
}

// successors are all that can come next, doing nothing excepted.
func (w plainWorld) successors(o *Options) (all []plainWorld) {
	faults := w.lost + w.duplicated + w.overtook + w.late
	spare := o.Bounds.Faults == 0 || faults < o.Bounds.Faults
	dueNow, timers := false, false
	for side := range 2 {
		at, on := w.conns[side].NextDeadline()
		timers = timers || on
		if on && at <= w.now {
			dueNow = true
			next := w
			if _, ok := next.step(o, side, model.Tick()); ok {
				all = append(all, next)
			}
		}
		for i := range w.flying[side] {
			next := w
			if i > 0 {
				if !spare || w.overtook >= o.Bounds.Overtakings {
					break
				}
				next.overtook++
			}
			if _, ok := next.step(o, side, model.ArriveAt(next.remove(side, i), 0)); ok {
				all = append(all, next)
			}
		}
		if w.flying[side] > 0 && spare && w.lost < o.Bounds.Losses {
			next := w
			seg := next.remove(side, 0)
			next.lost++
			next.rstLost = next.rstLost || seg.Has(tcp.RST)
			all = append(all, next)
		}
		if n := w.flying[side]; n > 0 && n < mostInFlight && spare && w.duplicated < o.Bounds.Duplicates {
			next := w
			next.flight[side][n] = w.flight[side][0]
			next.flying[side]++
			next.duplicated++
			all = append(all, next)
		}
		all = append(all, w.callsOf(o, side)...)
	}
	held := w.flying[0]+w.flying[1] > 0
	if dueNow || !timers || held && (!spare || w.late >= o.Bounds.Late) {
		return all
	}
	next := w
	next.now += Unit
	if held {
		next.late++
	}
	return append(all, next)
}

func (w plainWorld) callsOf(o *Options, side int) (all []plainWorld) {
	c := w.conns[side]
	if c.Detached() || c.Passive() && !c.Synchronized() || c.State() == tcp.Listen {
		return nil
	}
	for call := range calls {
		if o.Bounds.Calls&(1<<call) == 0 || call == writeCall && w.wrote[side] >= o.Bounds.Octets {
			continue
		}
		next := w
		r, ok := next.step(o, side, callEvent(call))
		if r.Call == model.KindWrite && r.Err == model.OK {
			next.wrote[side] += uint8(r.N)
		}
		if r.Call == model.KindRead && r.Err == model.OK {
			next.got[side] += uint8(r.N)
			next.zero[side] = next.zero[side] || r.N == 0
		}
		if ok {
			all = append(all, next)
		}
	}
	return all
}

// find looks a plain state up among those that a search found; -1 if it is not
// there.
func (s *search) find(w *plainWorld) int {
	var out world
	for side := range 2 {
		c := w.conns[side].Essence(&s.options.Profiles[side], w.now).Relative(w.now)
		id, ok := s.ends[side].ids[c]
		if !ok {
			return -1
		}
		out.conn[side] = id
		for _, seg := range w.flight[side][:w.flying[side]] {
			id, ok := s.segs.ids[seg]
			if !ok {
				return -1
			}
			out.flight[side].add(id)
		}
		if w.zero[side] {
			out.memory |= zero(side)
		}
	}
	if w.rstLost {
		out.memory |= rstLost
	}
	out.wrote, out.got = w.wrote, w.got
	out.lost, out.duplicated, out.overtook, out.late = w.lost, w.duplicated, w.overtook, w.late
	k, _ := s.stored(&out)
	return s.table.find(&k)
}

func explored(t *testing.T, o Options) *search {
	t.Helper()
	s, err := newSearch(o)
	if err != nil {
		t.Fatal(err)
	}
	complete, err := s.run(t.Context())
	if err != nil || !complete {
		t.Fatalf("complete %v after %d states, error %v", complete, s.table.n, err)
	}
	return s
}

// oracleOptions are searches small enough to be repeated by plain means.
func oracleOptions(t *testing.T) map[string]Options {
	t.Helper()
	all := map[string]Options{}
	for name, bounds := range map[string]Bounds{
		"linux":        {Octets: 1, Losses: 1, Late: 1, Faults: 1, Calls: CallWrite | CallRead | CallClose | CallShutWrite},
		"xnu":          {Octets: 1, Overtakings: 1, Duplicates: 1, Calls: CallWrite | CallRead | CallClose},
		"freebsd":      {Losses: 1, Calls: CallRead | CallClose | CallAbort},
		"rfc9293":      {Octets: 3, Calls: CallWrite | CallRead | CallClose | CallExit},
		"windows":      {Losses: 1, Late: 1, Duplicates: 1, Faults: 2},
		"linux opens":  {Octets: 1, Losses: 1, Calls: CallWrite | CallRead | CallClose},
		"linux probes": {Octets: 1, Losses: 1, Calls: CallWrite | CallRead | CallClose},
		"linux to xnu": {Octets: 1, Losses: 1, Calls: CallWrite | CallRead | CallClose},
	} {
		profile := name
		for i, r := range name {
			if r == ' ' {
				profile = name[:i]
				break
			}
		}
		p, ok := model.ProfileNamed(profile)
		if !ok {
			t.Fatalf("no profile %q", profile)
		}
		o := Of(p)
		if o.Bounds = bounds; bounds.Calls == 0 {
			o.Bounds.Calls = AllCalls
		}
		switch name {
		case "linux opens":
			o.Handshake = true
		case "linux probes":
			o.KeepAlive = [2]bool{true, true}
		case "linux to xnu":
			o.Profiles[1] = Scaled(model.XNU())
		}
		all[name] = o
	}
	return all
}

// A dumb random walker: whatever it reaches, the search reached.
func TestWalkerStaysOnExploredGround(t *testing.T) {
	for name, o := range oracleOptions(t) {
		t.Run(name, func(t *testing.T) {
			s := explored(t, o)
			t.Logf("%d states", s.table.n)
			const seed = 20130131
			rng := rand.New(rand.NewPCG(seed, 0))
			for walk := range 300 {
				w := plainStart(t, &s.options)
				for step := range 80 {
					if s.find(&w) < 0 {
						t.Fatalf("seed %d, walk %d, step %d: the search never reached %v %v, in flight %v", seed, walk, step, w.conns[0], w.conns[1], w.flight)
					}
					all := w.successors(&s.options)
					if len(all) == 0 {
						break
					}
					w = all[rng.IntN(len(all))]
				}
			}
		})
	}
}

// The other way round too: a plain breadth-first search without numbering,
// symmetry, graves or memory of outcomes reaches every state that the search
// reached, and no other.
func TestPlainSearchReachesTheSameStates(t *testing.T) {
	for name, o := range oracleOptions(t) {
		if o.Bounds.Octets > 0 {
			o.Bounds.Calls &^= CallShutWrite
			o.Bounds.Octets, o.Bounds.Duplicates, o.Bounds.Late = 1, 0, 0
		} else {
			o.Bounds.Faults = 1
		}
		t.Run(name, func(t *testing.T) {
			s := explored(t, o)
			reached := newBitset(s.table.n)
			first := plainStart(t, &s.options)
			seen := map[plainWorld]bool{first: true}
			for queue := []plainWorld{first}; len(queue) > 0; queue = queue[1:] {
				at := s.find(&queue[0])
				if at < 0 {
					t.Fatalf("the search never reached %v %v, in flight %v", queue[0].conns[0], queue[0].conns[1], queue[0].flight)
				}
				reached.set(at)
				for _, next := range queue[0].successors(&s.options) {
					for side := range 2 {
						next.conns[side] = next.conns[side].Essence(&s.options.Profiles[side], next.now).Relative(next.now)
					}
					next.now = model.Epoch
					if !seen[next] {
						seen[next] = true
						queue = append(queue, next)
					}
				}
			}
			t.Logf("%d states, %d plain ones", s.table.n, len(seen))
			for i := range s.table.n {
				if !reached.has(i) {
					t.Fatalf("state %d was reached by the search alone", i)
				}
			}
		})
	}
}
