package diagnose

import (
	"slices"
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
	for _, faces := range byRoot(v, groups) {
		for n, a := range faces {
			for _, b := range faces[n+1:] {
				if oneRoot(groups[a], groups[b]) {
					link(a, b)
				}
			}
		}
	}
	for pair := range bothEnds(v, groups) {
		link(pair[0], pair[1])
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
}

// byRoot gathers the groups of one program and namespace. What nobody accepted
// counts for every program that holds the listener: a master and its workers.
func byRoot(v *view, groups []*group) map[root][]int {
	out := map[root][]int{}
	for i, g := range groups {
		if g.key.cause == HalfCloseInUse {
			continue
		}
		for _, p := range v.concerned(g.key) {
			r := root{p, g.key.netns}
			out[r] = append(out[r], i)
		}
	}
	return out
}

func (v *view) concerned(k groupKey) []int32 {
	var out []int32
	if k.program >= 0 {
		out = append(out, k.program)
	}
	if k.listener >= 0 {
		for _, h := range v.cur.Sockets[k.listener].Holders {
			if i, ok := v.programs.byPID[h.PID]; ok && !slices.Contains(out, v.programs.member[i]) {
				out = append(out, v.programs.member[i])
			}
		}
	}
	return out
}

// oneRoot: they share the port too, or one of them leads to many or unknown ones.
func oneRoot(a, b *group) bool {
	x, y := a.key.service.Port(), b.key.service.Port()
	return (a.key.stuck || b.key.stuck) && a.twin != b && (x == y || x == 0 || y == 0)
}

// bothEnds finds peer-keeps-open groups whose peers are CLOSE_WAIT groups here.
func bothEnds(v *view, groups []*group) map[[2]int]bool {
	keeps := map[flowKey]int{}
	for i, g := range groups {
		if g.key.cause != PeerKeepsOpen {
			continue
		}
		for m := range g.members {
			s, _ := g.at(v, m)
			keeps[peerKeyOf(s)] = i
		}
	}
	out := map[[2]int]bool{}
	if len(keeps) == 0 {
		return out
	}
	for i, g := range groups {
		if g.key.state != tcp.CloseWait {
			continue
		}
		for m := range g.members {
			s, _ := g.at(v, m)
			if j, ok := keeps[flowKeyOf(s)]; ok {
				out[[2]int{i, j}] = true
			}
		}
	}
	return out
}
