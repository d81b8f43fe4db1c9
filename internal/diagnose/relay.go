package diagnose

import (
	"sort"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// A relay opens its second leg right after it accepted the first, so the two
// sockets lie side by side in the process: descriptors at most fdNear apart, or
// inode numbers (handed out in order, net/socket.c sock_alloc) at most inodeNear.
const (
	fdNear    = 2
	inodeNear = 4
)

// leg is one socket of a process that may be half of a relay.
type leg struct {
	at     int32 // index in the snapshot
	fd     int32
	inode  uint64
	active bool // carried data within the grace period
}

// excuseRelays marks as in use each half-closed connection whose other leg, in
// the same process, carries data (causes.md, "Relays"). One live leg excuses one
// half-closed one at most, so a leak beside some traffic stays visible.
func excuseRelays(v *view, verdicts []verdict) {
	byPID := map[int32][]leg{}
	active := map[int32]bool{}
	for i := range v.cur.Sockets {
		s := &v.cur.Sockets[i]
		if len(s.Holders) != 1 || !carriesData(v, s, &verdicts[i]) {
			continue
		}
		h := s.Holders[0]
		byPID[h.PID] = append(byPID[h.PID], leg{int32(i), h.FD, s.Inode, true})
		active[h.PID] = true
	}
	if len(active) == 0 {
		return
	}
	for i := range v.cur.Sockets {
		s, d := &v.cur.Sockets[i], &verdicts[i]
		if d.cause != EOFIgnored || len(s.Holders) != 1 || !active[s.Holders[0].PID] {
			continue
		}
		if peer := peerOf(v, s); peer.known && !peer.holds {
			continue // nobody is there to take what the other leg brings
		}
		h := s.Holders[0]
		byPID[h.PID] = append(byPID[h.PID], leg{int32(i), h.FD, s.Inode, false})
	}
	for pid, legs := range byPID {
		if active[pid] {
			pairLegs(v, legs, verdicts)
		}
	}
}

// carriesData: an established leg, or one whose own FIN is sent, with traffic
// within the grace period.
func carriesData(v *view, s *observe.Socket, d *verdict) bool {
	if s.State != tcp.Established && (s.State != tcp.FinWait2 || d.cause != HalfCloseInUse) || s.Info == nil {
		return false
	}
	return s.Info.LastDataRecv.Duration() < v.grace && s.Info.DataSegsIn > 0 ||
		s.Info.LastDataSent.Duration() < v.grace && s.Info.DataSegsOut > 0
}

func pairLegs(v *view, legs []leg, verdicts []verdict) {
	sort.Slice(legs, func(i, j int) bool { return legs[i].fd < legs[j].fd })
	excused := map[int32]bool{}
	for i := range legs {
		if !legs[i].active {
			continue
		}
		from := directionOf(v, &v.cur.Sockets[legs[i].at])
		for _, j := range nearest(legs, i) {
			other := legs[j]
			d := &verdicts[other.at]
			if other.active || excused[other.at] || d.direction == from {
				continue
			}
			excused[other.at] = true
			d.cause, d.stuck, d.certain = HalfCloseInUse, false, false
			d.ends = ending{kind: Never, rule: ruleInUse}
			break
		}
	}
}

// nearest lists the neighbours of legs[i] within reach, nearest descriptor first.
func nearest(legs []leg, i int) []int {
	var out []int
	for step := 1; step <= 2*fdNear; step++ {
		for _, j := range []int{i - step, i + step} {
			if j >= 0 && j < len(legs) && besides(legs[i], legs[j]) {
				out = append(out, j)
			}
		}
	}
	return out
}

func besides(a, b leg) bool {
	gap := func(x, y uint64) uint64 { return max(x, y) - min(x, y) }
	return gap(uint64(a.fd), uint64(b.fd)) <= fdNear || gap(a.inode, b.inode) <= inodeNear
}
