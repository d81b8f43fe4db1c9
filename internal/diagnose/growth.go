package diagnose

import (
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
// says little about two a minute.
func growthOf(v *view, g *group) growth {
	estimate := estimateGrowth(v, g)
	if v.prev == nil {
		return estimate
	}
	came, went := moved(v, g)
	expected := estimate.perHour / 3600 * v.interval.Seconds()
	if estimate.known && came+went < enoughArrivals && expected < enoughArrivals {
		return estimate
	}
	return growth{known: true, perHour: float64(came-went) / v.interval.Hours(), basis: TwoLooks}
}

// estimateGrowth reads the arrival history out of the survivors' ages: how many
// of them came in the more recent half of the group's life. A burst long ago
// then counts as no growth. It sees arrivals only: a pool that drains looks alike.
func estimateGrowth(v *view, g *group) growth {
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
// are no change: the descriptor is still held.
func moved(v *view, g *group) (came, went int) {
	for _, part := range []*group{g, g.twin} {
		if part == nil {
			continue
		}
		for i := range part.members {
			s, _ := part.at(v, i)
			if before := v.earlier(s); before == nil || !before.State.HalfClosed() && !before.Dead() {
				came++
			}
		}
	}
	return came, v.gone(g.key)
}

// gone counts the sockets that the first look would have put beside this group
// and the second does not have.
func (v *view) gone(key groupKey) int {
	if v.left == nil {
		v.left = map[leftKey]int{}
		present := make(map[sockKey]bool, len(v.cur.Sockets))
		for i := range v.cur.Sockets {
			s := &v.cur.Sockets[i]
			if k, ok := keyOf(s); ok && (s.State.HalfClosed() || s.Dead()) {
				present[k] = true
			}
		}
		for i := range v.prev.Sockets {
			s := &v.prev.Sockets[i]
			k, ok := keyOf(s)
			if !ok || present[k] || !s.State.HalfClosed() && !s.Dead() {
				continue
			}
			v.left[leftKeyOf(v, s)]++
		}
	}
	k := leftKey{key.netns, key.program, key.state, key.direction, key.service.Port()}
	if key.listener >= 0 {
		k.program = -1
	}
	return v.left[k]
}

// leftKey is as much of a group's key as a socket that has gone still shows.
type leftKey struct {
	netns     uint64
	program   int32
	state     tcp.State
	direction Direction
	port      uint16
}

func leftKeyOf(v *view, s *observe.Socket) leftKey {
	d := verdict{direction: directionOf(v, s)}
	return leftKey{s.NetNS, v.programs.ownerOf(s.Holders), s.State, d.direction, serviceOf(v, s, &d).Port()}
}
