package collect

import (
	"context"
	"net/netip"
	"slices"

	"github.com/closewait/closewait/internal/kernel/sockdiag"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// manyPorts is from how many half-closed sockets towards one destination on its
// local ports are worth counting: 2 % of the default range.
const manyPorts = 500

type path struct {
	ns     uint64
	local  netip.Addr
	remote netip.AddrPort
}

// unmapped: an IPv4 socket and an IPv6 one that speaks IPv4 share the ports.
func (p path) unmapped() path {
	return path{p.ns, p.local.Unmap(), tcp.Flow{Remote: p.remote}.Unmapped().Remote}
}

// service is what a dump can be asked for: the remote ends of many paths.
type service struct {
	ns   uint64
	port uint16
}

// countPorts counts, for destinations that many half-closed sockets share, the
// local ports in use in the other states too, which the survey does not hold.
func (s *survey) countPorts(ctx context.Context) error {
	counts := s.pathCounts()
	others := s.others()
	uses := map[service]map[path]int{}
	for p, n := range counts {
		sp := s.spaceOf[p.ns]
		if n < manyPorts || sp == nil || !sp.seen.Entered {
			continue
		}
		use := service{p.ns, p.remote.Port()}
		if uses[use] == nil {
			uses[use] = map[path]int{}
		}
		uses[use][p] = n
	}
	for use, used := range uses {
		sp := s.spaceOf[use.ns]
		// A dump walks the table that all namespaces share (10 ms with a hundred
		// thousand sockets in it): not for what can't be 1 % of the ports.
		if r := sp.seen.Sysctl.LocalPorts; others[use.ns] > (r[1]-r[0])/100 {
			if err := s.enter(sp, func() error { return addOtherPorts(ctx, use, used) }); err != nil {
				return err
			}
		}
		for p, n := range used {
			sp.seen.PortUse = append(sp.seen.PortUse, observe.PortUse{
				Local: p.unmapped().local.String(), Remote: p.unmapped().remote.String(), Used: n,
			})
		}
	}
	return nil
}

// others is at most how many sockets each namespace has that the survey has not:
// ESTABLISHED ones, mostly.
func (s *survey) others() map[uint64]int {
	n := map[uint64]int{}
	for _, sp := range s.spaces {
		n[sp.seen.ID] = sp.seen.TCP.InUse + sp.seen.TCP.TimeWait
	}
	ns, run := uint64(0), 0 // sockets of one namespace come in runs
	for i := range s.sockets {
		if x := &s.sockets[i]; x.State != tcp.Closed && !x.MPTCP {
			if x.NetNS != ns {
				n[ns] -= run
				ns, run = x.NetNS, 0
			}
			run++
		}
	}
	n[ns] -= run
	return n
}

// pathCounts counts the half-closed sockets by path, those of frequent remote
// ports only: each inbound connection is a path of its own.
func (s *survey) pathCounts() map[path]int {
	counts := map[path]int{}
	if slices.Max(s.remote[:]) < manyPorts {
		return counts
	}
	var last path // sockets of one path come in runs
	run := 0
	for i := range s.sockets {
		x := &s.sockets[i]
		if !x.State.HalfClosed() || s.remote[x.Remote.Port()] < manyPorts {
			continue
		}
		if p := (path{x.NetNS, x.Local.Addr(), x.Remote}); p != last {
			counts[last] += run
			last, run = p, 0
		}
		run++
	}
	counts[last] += run
	return counts
}

// addOtherPorts adds the sockets of the paths to one service that are not
// half-closed.
func addOtherPorts(ctx context.Context, use service, used map[path]int) error {
	conn, err := sockdiag.Dial(0)
	if err != nil {
		return err
	}
	defer conn.Close()
	q := sockdiag.Query{
		States: sockdiag.AllStates &^ halfClosed &^ sockdiag.States(tcp.Listen, tcp.Closed),
		Remote: netip.AddrPortFrom(netip.Addr{}, use.port),
	}
	more := map[path]int{}
	_, err = conn.Dump(ctx, q, func(row *sockdiag.Row) error {
		more[path{use.ns, row.Local.Addr(), row.Remote}.unmapped()]++
		return nil
	}, func() { clear(more) })
	for p := range used {
		used[p] += more[p.unmapped()]
	}
	return err
}
