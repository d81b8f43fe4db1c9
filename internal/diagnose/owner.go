package diagnose

import (
	"sort"
	"strings"
)

// ownerFor describes the program that holds the group, nil if none is known.
func ownerFor(v *view, g *group) (*Owner, []int) {
	if g.key.program < 0 {
		return nil, nil
	}
	prog := &v.programs.all[g.key.program]
	counts, others := holdersOf(v, g)
	o := &Owner{
		Container: prog.place.container, Runtime: prog.place.runtime, Pod: prog.place.pod,
		Unit: prog.place.unit, Cgroup: prog.place.path, NetNS: prog.key.netns,
	}
	most := int32(-1)
	for _, i := range prog.procs {
		p := &v.programs.procs[i]
		n := counts[int32(p.PID)]
		if n == 0 {
			continue
		}
		entry := OwnerPID{PID: p.PID, Count: n}
		if len(p.NSPIDs) > 0 {
			entry.NSPID = p.NSPIDs[len(p.NSPIDs)-1]
		}
		o.PIDs = append(o.PIDs, entry)
		if most < 0 || n > counts[int32(v.programs.procs[most].PID)] {
			most = i
		}
	}
	if most < 0 {
		return nil, nil
	}
	p := &v.programs.procs[most]
	o.PID, o.Title, o.Comm, o.Exe, o.UID, o.Threads = p.PID, titleOf(p), p.Comm, p.Exe, p.UID, p.Threads
	o.Cmdline = strings.Join(p.Cmdline, " ")
	if !p.StartedAt.IsZero() {
		started := p.StartedAt
		o.StartedAt = &started
	}
	return o, others
}

// holdersOf counts the group's sockets by process, and lists the processes of
// other programs that hold some of them too. For never-accepted it is the
// listener that is held.
func holdersOf(v *view, g *group) (counts map[int32]int, others []int) {
	counts = map[int32]int{}
	foreign := map[int32]bool{}
	if g.key.listener >= 0 {
		for _, h := range v.cur.Sockets[g.key.listener].Holders {
			counts[h.PID] = len(g.members)
		}
	} else {
		countHolders(v, g, counts)
	}
	for pid := range counts {
		if !v.programs.owns(g.key.program, pid) {
			foreign[pid] = true
		}
	}
	for pid := range foreign {
		others = append(others, int(pid))
	}
	sort.Ints(others)
	return counts, others
}

// countHolders counts a socket once for a process that has several descriptors
// of it.
func countHolders(v *view, g *group, counts map[int32]int) {
	type tally struct{ n, last int }
	tallies := map[int32]*tally{}
	var t *tally
	pid := int32(0)
	for i := range g.members {
		s, _ := g.at(v, i)
		for _, h := range s.Holders {
			if t == nil || h.PID != pid { // sockets of one process come in runs
				t, pid = tallies[h.PID], h.PID
			}
			if t == nil {
				t = &tally{last: -1}
				tallies[pid] = t
			}
			if t.last != i {
				t.n, t.last = t.n+1, i
			}
		}
	}
	for pid, t := range tallies {
		counts[pid] = t.n
	}
}
