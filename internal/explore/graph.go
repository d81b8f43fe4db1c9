package explore

import (
	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// graph holds the fair moves between all states: what the link and the timers
// do when nothing is lost, duplicated or overtaken, and each application's
// close.
//
// An edge is the index of the state it leads to, and two marks.
type graph struct {
	first  []uint32 // of each state's edges
	chunks [][]uint32
	n      int
}

const (
	byClose  = 1 << 31 // the edge is an application's close, and not the environment's
	mirrored = 1 << 30 // the state it leads to is stored with the sides exchanged
	target   = mirrored - 1
	// unknown is an edge that the bounds cut: where it leads was not explored.
	unknown = target

	edgeChunk = 1 << 18
)

func (g *graph) open() { g.first = append(g.first, uint32(g.n)) }

func (g *graph) add(e uint32) {
	if g.n%edgeChunk == 0 {
		g.chunks = append(g.chunks, make([]uint32, edgeChunk))
	}
	g.chunks[g.n/edgeChunk][g.n%edgeChunk] = e
	g.n++
}

// states is how many states have been expanded.
func (g *graph) states() int { return len(g.first) }

// edges calls visit with each edge of a state, until it returns true.
func (g *graph) edges(state int, visit func(e uint32) bool) bool {
	end := uint32(g.n)
	if state+1 < len(g.first) {
		end = g.first[state+1]
	}
	for i := g.first[state]; i < end; i++ {
		if visit(g.chunks[i/edgeChunk][i%edgeChunk]) {
			return true
		}
	}
	return false
}

// bitset is a set of small numbers.
type bitset []uint64

func newBitset(n int) bitset    { return make(bitset, n/64+1) }
func (b bitset) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }
func (b bitset) set(i int)      { b[i/64] |= 1 << (i % 64) }
func (b bitset) setTo(i int, on bool) { // of a clear bit
	if on {
		b.set(i)
	}
}

// reach extends a set to every state that has an edge into it. Later states
// are mostly reached from earlier ones, so sweeping backwards needs few sweeps.
func (g *graph) reach(in bitset) {
	for grown := true; grown; {
		grown = false
		for i := g.states() - 1; i >= 0; i-- {
			if in.has(i) {
				continue
			}
			if g.edges(i, func(e uint32) bool { return e&target == unknown || in.has(int(e&target)) }) {
				in.set(i)
				grown = true
			}
		}
	}
}

// graphInvariants need the whole graph, without holes.
func graphInvariants() []Invariant {
	return []Invariant{
		{Name: "always-an-exit", From: "C6; RFC 9293 §3.6, §3.10.4",
			Text:  "from every state, if both applications close and the link is fair from there on, both ends reach CLOSED; but where FIN_WAIT_2 has no timer, as in RFC 9293, it outlasts a peer whose last word was lost",
			graph: (*search).alwaysAnExit},
		{Name: "no-endless-talk", From: "C6; RFC 9293 §3.10.7.1, RFC 5961 §10",
			Text:  "once both applications are gone and the link is fair, no state comes twice: neither segments nor timers go round in circles",
			graph: (*search).noEndlessTalk},
	}
}

// alwaysAnExit: every state reaches "both CLOSED" by fair moves. Each state
// that such a story passes does so again; so a story that never gets there would
// put off for ever a move that is possible again and again, and a fair link,
// clock and application do not.
func (s *search) alwaysAnExit(g *graph) (int, bool) {
	in := newBitset(g.states())
	for i := range g.states() {
		in.setTo(i, s.state(i, 0).over() && s.state(i, 1).over() || s.outlasts(i, 0) || s.outlasts(i, 1))
	}
	g.reach(in)
	for i := range g.states() {
		if !in.has(i) {
			return i, false
		}
	}
	return 0, true
}

// over reports whether there is no connection: CLOSED, or a listener that waits
// for one.
func (f *fact) over() bool { return f.state == tcp.Closed || f.state == tcp.Listen }

// outlasts reports whether one side is in FIN_WAIT_2 for good: the FIN or RST
// that said that the peer is gone was lost, and the profile has no timer for
// this, for no RFC has one.
func (s *search) outlasts(i, side int) bool {
	f, peer, timer := s.state(i, side), s.state(i, 1-side), &s.ends[side].profile.FinWait2
	none := timer.Starts == model.StartNever || timer.Lasts == 0
	var w world
	s.table.at(i).key.world(&w)
	return none && f.state == tcp.FinWait2 && f.has(detached) && !f.has(timed) &&
		peer.state == tcp.Closed && w.lost > 0
}

// noEndlessTalk: among the states in which both applications are gone, the fair
// moves make no circle. Depth first; a state that is met while the search is
// still below it closes one.
func (s *search) noEndlessTalk(g *graph) (int, bool) {
	below, done := newBitset(g.states()), newBitset(g.states())
	type frame struct {
		state int
		edges []uint32
	}
	list := func(i int) frame {
		f := frame{state: i}
		g.edges(i, func(e uint32) bool {
			if e&byClose == 0 && e&target != unknown {
				f.edges = append(f.edges, e&target)
			}
			return false
		})
		return f
	}
	var stack []frame
	for root := range g.states() {
		if done.has(root) || !s.state(root, 0).has(detached) || !s.state(root, 1).has(detached) {
			continue
		}
		stack = append(stack[:0], list(root))
		below.set(root)
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if len(top.edges) == 0 {
				done.set(top.state)
				stack = stack[:len(stack)-1]
				continue
			}
			to := int(top.edges[0])
			top.edges = top.edges[1:]
			switch {
			case done.has(to):
			case below.has(to):
				return to, false
			default:
				below.set(to)
				stack = append(stack, list(to))
			}
		}
	}
	return 0, true
}

// stuck calls found for every state, in order, in which one side is as is says,
// and will be for ever: no fair move of anyone but an application leads out of
// that, now or later.
func (s *search) stuck(g *graph, is func(f, peer *fact) bool, found func(state, side int)) {
	leaves := newBitset(2 * g.states()) // a bit for each side of each state
	waits := []int{}
	for i := range g.states() {
		for side := range 2 {
			if is(s.state(i, side), s.state(i, 1-side)) {
				waits = append(waits, 2*i+side)
			} else {
				leaves.set(2*i + side)
			}
		}
	}
	for grown := true; grown; {
		grown = false
		for n := len(waits) - 1; n >= 0; n-- {
			at := waits[n]
			if leaves.has(at) {
				continue
			}
			if g.edges(at/2, func(e uint32) bool { return leaves.leads(e, at&1) }) {
				leaves.set(at)
				grown = true
			}
		}
	}
	for _, at := range waits {
		if !leaves.has(at) {
			found(at/2, at&1)
		}
	}
}

// leads reports whether an edge of the environment leads one side into the set.
func (b bitset) leads(e uint32, side int) bool {
	if e&byClose != 0 {
		return false
	}
	if e&target == unknown {
		return true
	}
	if e&mirrored != 0 {
		side = 1 - side
	}
	return b.has(2*int(e&target) + side)
}
