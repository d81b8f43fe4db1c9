package diagnose

import (
	"net/netip"
	"time"

	"github.com/closewait/closewait/internal/observe"

	"github.com/closewait/closewait/tcp"
)

// growth is how fast a group grows.
type growth struct {
	known   bool
	perHour float64
	basis   GrowthBasis
}

// enoughArrivals is how many arrivals a rate must rest on: fewer are an accident.
const enoughArrivals = 3

// growthOf prefers what two looks measured. If the interval was too short for
// the estimated rate to show in it, the estimate stays: nothing new in a second
// says little about two a minute, and a single one in it would be a rate of 3600
// an hour. What a torn look lacks has not gone.
func growthOf(v *view, g *group) growth {
	estimate := estimateGrowth(g)
	if v.prev == nil || v.torn || torn(v.prev) {
		return estimate
	}
	came, went := moved(v, g)
	expected := estimate.perHour / 3600 * v.interval.Seconds()
	if came+went < enoughArrivals && expected < enoughArrivals && (estimate.known || came+went > 0) {
		return estimate
	}
	return growth{known: true, perHour: float64(came-went) / v.interval.Hours(), basis: TwoLooks}
}

// estimateGrowth reads the arrival history out of the survivors' ages: how many
// of them came in the more recent half of the group's life. A burst long ago
// then counts as no growth. It sees arrivals only: a pool that drains looks alike.
func estimateGrowth(g *group) growth {
	n, oldest := 0, time.Duration(0)
	each := func(f func(age)) {
		for _, part := range []*group{g, g.twin} {
			if part == nil {
				continue
			}
			for _, m := range part.members {
				f(part.verdicts[m].age)
			}
		}
	}
	each(func(a age) { n++; oldest = max(oldest, a.best()) })
	if n < enoughArrivals || oldest < time.Second {
		return growth{basis: OneLook}
	}
	recent := 0
	each(func(a age) {
		if a.best() < oldest/2 {
			recent++
		}
	})
	if recent < enoughArrivals {
		return growth{known: true, basis: OneLook}
	}
	return growth{known: true, perHour: float64(recent) / (oldest / 2).Hours(), basis: OneLook}
}

// moved counts the group's sockets that came and went between the two looks.
// Those that changed their state only, within the same finding or into masked,
// are no change: the descriptor is still held. One that can't be recognised is
// neither.
func moved(v *view, g *group) (came, went int) {
	for _, part := range []*group{g, g.twin} {
		if part == nil {
			continue
		}
		for i := range part.members {
			s, d := part.at(v, i)
			if s.Key() == (observe.Key{}) {
				continue
			}
			if before := d.before; before == nil || !before.State.HalfClosed() && !before.Dead() {
				came++
			}
		}
	}
	return came, v.gone(g.key)
}

// gone counts the sockets that the first look would have put into this group and
// the second does not have.
func (v *view) gone(key groupKey) int {
	if v.left == nil {
		v.left = v.leavers()
	}
	return v.left[leftKey{key.cause, key.netns, key.program, key.uid, key.state, key.direction, key.service}]
}

// leftKey is as much of a group's key as a socket that has gone still shows; a
// group of many services has none.
type leftKey struct {
	cause     Cause
	netns     uint64
	program   int32
	uid       uint32
	state     tcp.State
	direction Direction
	service   netip.AddrPort
}

// leavers judges what has gone as the first look saw it: its process may be gone
// too.
func (v *view) leavers() map[leftKey]int {
	out := map[leftKey]int{}
	gone := v.goneSockets()
	if len(gone) == 0 {
		return out
	}
	past := newView(nil, v.prev, v.grace)
	now := v.programs.index()
	for _, i := range gone {
		s := &v.prev.Sockets[i]
		d := judge(past, s)
		k := keyFor(past, s, &d)
		if d.program >= 0 {
			at, ok := now[past.programs.all[d.program].key]
			if !ok {
				continue // the program has gone, and with it the finding
			}
			k.program = at
		}
		left := leftKey{k.cause, k.netns, k.program, k.uid, k.state, k.direction, k.service}
		out[left]++
		if left.service != (netip.AddrPort{}) {
			left.service = netip.AddrPort{}
			out[left]++
		}
	}
	return out
}

// goneSockets lists what was half-closed or dead at the first look and is not at
// the second.
func (v *view) goneSockets() []int32 {
	there := make([]bool, len(v.prev.Sockets))
	for i := range v.cur.Sockets {
		s := &v.cur.Sockets[i]
		if !s.State.HalfClosed() && !s.Dead() {
			continue
		}
		if at, ok := v.before[s.Key()]; ok {
			there[at] = true
		}
	}
	var out []int32
	for i := range v.prev.Sockets {
		s := &v.prev.Sockets[i]
		if s.Key() != (observe.Key{}) && !there[i] && (s.State.HalfClosed() || s.Dead()) {
			out = append(out, int32(i))
		}
	}
	return out
}
