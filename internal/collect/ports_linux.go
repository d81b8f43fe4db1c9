package collect

import (
	"context"
	"net/netip"

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

// countPorts counts, for destinations that many half-closed sockets share, the
// local ports in use in the other states too, which the survey does not hold.
func (s *survey) countPorts(ctx context.Context) error {
	counts := s.pathCounts()
	for p, n := range counts {
		sp := s.spaceOf[p.ns]
		if n < manyPorts || sp == nil || !sp.seen.Entered {
			continue
		}
		err := s.enter(sp, func() error {
			others, err := otherPorts(ctx, p)
			sp.seen.PortUse = append(sp.seen.PortUse, observe.PortUse{
				Local: p.local.Unmap().String(), Remote: tcp.Flow{Remote: p.remote}.Unmapped().Remote.String(), Used: n + others,
			})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pathCounts counts the half-closed sockets by path, those of frequent remote
// ports only: each inbound connection is a path of its own.
func (s *survey) pathCounts() map[path]int {
	var byPort [1 << 16]uint32
	for i := range s.sockets {
		if s.sockets[i].State.HalfClosed() {
			byPort[s.sockets[i].Remote.Port()]++
		}
	}
	counts := map[path]int{}
	for i := range s.sockets {
		x := &s.sockets[i]
		if x.State.HalfClosed() && byPort[x.Remote.Port()] >= manyPorts {
			counts[path{x.NetNS, x.Local.Addr(), x.Remote}]++
		}
	}
	return counts
}

// otherPorts counts the sockets of a path that are not half-closed.
func otherPorts(ctx context.Context, p path) (int, error) {
	conn, err := sockdiag.Dial(0)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	q := sockdiag.Query{
		States: sockdiag.AllStates &^ halfClosed &^ sockdiag.States(tcp.Listen, tcp.Closed),
		Local:  netip.AddrPortFrom(p.local, 0), Remote: p.remote,
	}
	n := 0
	_, err = conn.Dump(ctx, q, func(*sockdiag.Row) error { n++; return nil }, func() { n = 0 })
	return n, err
}
