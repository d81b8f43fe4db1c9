package diagnose

import (
	"net/netip"
	"strconv"
	"time"
)

// exhaustionOf says what the group's owner runs out of first: what fills the
// soonest, or where nothing grows what is the fullest. perHour is each process's
// growth in descriptors, all its findings together.
func exhaustionOf(v *view, g *group, own growth, perHour map[int32]float64) *Exhaustion {
	var worst *Exhaustion
	for _, e := range []*Exhaustion{acceptQueue(v, g, own), openFiles(v, g, perHour), localPorts(v, g, own)} {
		if e != nil && (worst == nil || e.before(worst)) {
			worst = e
		}
	}
	return worst
}

func (e *Exhaustion) before(other *Exhaustion) bool {
	switch {
	case e.At != nil && other.At != nil && !e.At.Equal(*other.At):
		return e.At.Before(*other.At)
	case (e.At != nil) != (other.At != nil):
		return e.At != nil
	}
	return e.fill() > other.fill()
}

// fill is the part in use, 1 when full.
func (e *Exhaustion) fill() float64 { return float64(e.Used) / float64(max(e.Limit, 1)) }

// fullAt is when used reaches limit at this growth; nil for never or too far off
// to mean anything.
func fullAt(now time.Time, used, limit int, perHour float64) *time.Time {
	if used >= limit {
		return &now
	}
	if perHour <= 0 {
		return nil
	}
	hours := float64(limit-used) / perHour
	if hours > 24*365 {
		return nil
	}
	return moment(now.Add(time.Duration(hours * float64(time.Hour))).Truncate(time.Second))
}

// openFiles takes the process of the owner that is nearest to its RLIMIT_NOFILE.
func openFiles(v *view, g *group, perHour map[int32]float64) *Exhaustion {
	if g.key.program < 0 || g.key.listener >= 0 {
		return nil // nobody's descriptors: never-accepted ones have none
	}
	counts, _ := holdersOf(v, g)
	var worst *Exhaustion
	for _, i := range v.programs.all[g.key.program].procs {
		p := &v.programs.procs[i]
		if counts[int32(p.PID)] == 0 || p.NoFileSoft == 0 || p.OpenFiles == 0 || p.NoFileSoft > 1<<40 {
			continue
		}
		e := &Exhaustion{
			Resource: OpenFiles, Of: "pid " + strconv.Itoa(p.PID), Used: p.OpenFiles, Limit: int(p.NoFileSoft),
			At: fullAt(v.now, p.OpenFiles, int(p.NoFileSoft), perHour[int32(p.PID)]),
		}
		if worst == nil || e.before(worst) {
			worst = e
		}
	}
	return worst
}

// acceptQueue: the LISTEN row's Recv-Q against its backlog. The kernel refuses
// only beyond the backlog, so a full queue holds one more (sk_acceptq_is_full).
func acceptQueue(v *view, g *group, own growth) *Exhaustion {
	if g.key.listener < 0 {
		return nil
	}
	l := &v.cur.Sockets[g.key.listener]
	used, limit := int(l.RecvQ), int(l.SendQ)+1
	return &Exhaustion{
		Resource: AcceptQueue, Of: l.Local.String(), Used: used, Limit: limit,
		At: fullAt(v.now, used, limit, own.perHour),
	}
}

// localPorts: each outbound connection takes a local port of the range towards
// its destination.
func localPorts(v *view, g *group, own growth) *Exhaustion {
	if g.key.direction != Outbound || g.key.cause == Masked || !g.key.service.Addr().IsValid() {
		return nil
	}
	first, last := portRange(v, g.key.netns)
	locals := map[netip.Addr]int{}
	for i := range g.members {
		s, _ := g.at(v, i)
		locals[s.Local.Addr().Unmap()]++
	}
	var worst *Exhaustion
	for local, n := range locals {
		used := portsUsed(v, g, local, n)
		e := &Exhaustion{
			Resource: LocalPorts, Of: local.String() + " → " + g.key.service.String(), Used: used, Limit: last - first + 1,
			At: fullAt(v.now, used, last-first+1, own.perHour*float64(n)/float64(len(g.members))),
		}
		if worst == nil || e.before(worst) || !worst.before(e) && e.Of < worst.Of {
			worst = e
		}
	}
	return worst
}

// portsUsed is what the reader counted, or at least the group's own.
func portsUsed(v *view, g *group, local netip.Addr, own int) int {
	if n := v.namespaces[g.key.netns]; n != nil {
		for _, u := range n.PortUse {
			if u.Remote == g.key.service.String() && u.Local == local.String() {
				return u.Used
			}
		}
	}
	return own
}
