package diagnose

import (
	"sort"

	"github.com/closewait/closewait/tcp"
)

// relate names, for each finding, the others that have one root with it: the
// faces of one hang on one port, a leak and the part of it that a RST masks, and
// both ends of connections within this host. The young members of a stuck group
// are counted in the finding itself (Younger).
func relate(v *view, groups []*group, findings []Finding) {
	links := make([]map[int]bool, len(groups))
	link := func(a, b int) {
		for _, p := range [][2]int{{a, b}, {b, a}} {
			if links[p[0]] == nil {
				links[p[0]] = map[int]bool{}
			}
			links[p[0]][p[1]] = true
		}
	}
	for _, faces := range byRoot(groups) {
		for n, a := range faces {
			for _, b := range faces[n+1:] {
				if (groups[a].key.stuck || groups[b].key.stuck) && groups[a].twin != groups[b] {
					link(a, b)
				}
			}
		}
	}
	for a, b := range bothEnds(v, groups) {
		link(a, b)
	}
	for i, others := range links {
		for j := range others {
			findings[i].Related = append(findings[i].Related, findings[j].ID)
		}
		sort.Strings(findings[i].Related)
	}
}

// root is what the faces of one trouble have in common.
type root struct {
	program int32
	netns   uint64
	port    uint16
}

// byRoot gathers the groups of one program, namespace and port.
func byRoot(groups []*group) map[root][]int {
	out := map[root][]int{}
	for i, g := range groups {
		if k := g.key; k.program >= 0 && k.cause != HalfCloseInUse {
			r := root{k.program, k.netns, k.service.Port()}
			out[r] = append(out[r], i)
		}
	}
	return out
}

// bothEnds finds peer-keeps-open groups whose peers are CLOSE_WAIT groups here.
func bothEnds(v *view, groups []*group) map[int]int {
	keeps := map[flowKey]int{}
	for i, g := range groups {
		if g.key.cause != PeerKeepsOpen {
			continue
		}
		for m := range g.members {
			s, _ := g.at(v, m)
			f := s.Flow()
			keeps[flowKey{f.Remote, f.Local}] = i
		}
	}
	out := map[int]int{}
	if len(keeps) == 0 {
		return out
	}
	for i, g := range groups {
		if g.key.state != tcp.CloseWait {
			continue
		}
		for m := range g.members {
			s, _ := g.at(v, m)
			f := s.Flow()
			if j, ok := keeps[flowKey{f.Local, f.Remote}]; ok {
				out[i] = j
				break
			}
		}
	}
	return out
}
