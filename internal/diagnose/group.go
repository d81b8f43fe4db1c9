package diagnose

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// group is the sockets of one finding.
type group struct {
	key     groupKey
	members []int32 // indexes in the snapshot
	// verdicts is all verdicts, by index in the snapshot.
	verdicts []verdict
	// twin is the group of the same key whose members are stuck where these are
	// not, or the other way round; nil if there is none.
	twin *group
	// services is how many services were joined in it, 0 for one.
	services int
}

// groupKey is what the sockets of one finding have in common.
type groupKey struct {
	cause     Cause
	stuck     bool
	state     tcp.State
	direction Direction
	program   int32
	listener  int32
	uid       uint32 // only where no program was seen
	netns     uint64
	service   netip.AddrPort
	mptcp     bool
	code      string // the place that opened and read them, where the sensor saw it
}

func (g *group) at(v *view, i int) (*observe.Socket, *verdict) {
	return &v.cur.Sockets[g.members[i]], &g.verdicts[g.members[i]]
}

// groupSockets gathers the judged sockets that the filter keeps, in the order
// of their first member.
func groupSockets(v *view, verdicts []verdict, f Filter) []*group {
	index := map[groupKey]*group{}
	var out []*group
	var last *group // sockets of one group come in runs
	for i := range v.cur.Sockets {
		d := &verdicts[i]
		if d.cause == "" {
			continue
		}
		s := &v.cur.Sockets[i]
		if !f.empty() && !f.keeps(v, s, d) {
			continue
		}
		key := keyFor(v, s, d)
		g := last
		if g == nil || g.key != key {
			g = index[key]
		}
		if g == nil {
			g = &group{key: key, verdicts: verdicts}
			index[key] = g
			out = append(out, g)
		}
		g.members = append(g.members, int32(i))
		last = g
	}
	out = mergeServices(mergeUnseen(out))
	clear(index)
	for _, g := range out {
		index[g.key] = g
	}
	for _, g := range out {
		other := g.key
		other.stuck = !other.stuck
		g.twin = index[other]
	}
	return out
}

// mergeUnseen joins sockets whose code the sensor did not see, because they are
// older, with those of the same group whose code it did see, if that is one place.
func mergeUnseen(groups []*group) []*group {
	places := map[groupKey][]*group{}
	for _, g := range groups {
		if g.key.code != "" {
			rest := g.key
			rest.code = ""
			places[rest] = append(places[rest], g)
		}
	}
	out := groups[:0]
	for _, g := range groups {
		if seen := places[g.key]; g.key.code == "" && len(seen) == 1 {
			seen[0].members = append(seen[0].members, g.members...)
			slices.Sort(seen[0].members)
			continue
		}
		out = append(out, g)
	}
	return out
}

// manyServices is how many remote ends one owner's finding may be split by; a
// crawler that leaks towards a thousand hosts has one bug, not a thousand.
const manyServices = 8

// mergeServices joins groups that differ by their service only, where there are
// too many of them; the stuck ones and their younger twins alike.
func mergeServices(groups []*group) []*group {
	byRest := map[groupKey][]*group{}
	services := map[groupKey]map[netip.AddrPort]bool{}
	for _, g := range groups {
		rest := g.key
		rest.service = netip.AddrPort{}
		byRest[rest] = append(byRest[rest], g)
		rest.stuck = false
		if services[rest] == nil {
			services[rest] = map[netip.AddrPort]bool{}
		}
		services[rest][g.key.service] = true
	}
	out := groups[:0]
	for _, g := range groups {
		rest := g.key
		rest.service = netip.AddrPort{}
		same := byRest[rest]
		either := rest
		either.stuck = false
		switch {
		case len(services[either]) <= manyServices || g.key.listener >= 0:
			out = append(out, g)
		case same[0] == g:
			out = append(out, joined(rest, same))
		}
	}
	return out
}

func joined(key groupKey, parts []*group) *group {
	g := &group{key: key, verdicts: parts[0].verdicts, services: len(parts)}
	for _, p := range parts {
		g.members = append(g.members, p.members...)
	}
	slices.Sort(g.members)
	return g
}

func keyFor(v *view, s *observe.Socket, d *verdict) groupKey {
	k := groupKey{
		cause: d.cause, stuck: d.stuck, state: s.State, direction: d.direction,
		program: d.program, listener: d.listener, netns: s.NetNS, mptcp: s.MPTCP, service: serviceOf(v, s, d),
		code: v.stacks.place(s.History),
	}
	if d.program < 0 && s.Inode != 0 {
		k.uid = s.UID
	}
	return k
}

// serviceOf is the end that many connections share: the remote end of outbound
// ones, the local port of inbound ones (its address left out). Of an unknown one
// it is the end that others share, or the lower port: clients' ports are the
// high ones.
func serviceOf(v *view, s *observe.Socket, d *verdict) netip.AddrPort {
	f := s.Flow()
	local := netip.AddrPortFrom(netip.Addr{}, f.Local.Port())
	switch {
	case d.direction == Inbound:
		return local
	case d.direction == Outbound && !f.Remote.IsValid():
		return netip.AddrPort{} // a dead descriptor; its own port tells nothing
	case d.direction == Outbound:
		return f.Remote
	case v.sharesLocalPort(s) || !f.Remote.IsValid() || f.Local.Port() < f.Remote.Port():
		return local
	}
	return f.Remote
}

// ends names the two ends of the group for the report.
func (k groupKey) ends() (local, remote string) {
	switch {
	case k.service == netip.AddrPort{}:
		return "*", "*"
	case k.service.Addr().IsValid():
		return "*", k.service.String()
	}
	return ":" + strconv.Itoa(int(k.service.Port())), "*"
}
