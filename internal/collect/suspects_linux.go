package collect

import (
	"context"
	"errors"
	"fmt"

	"github.com/closewait/closewait/internal/kernel/sockdiag"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// readSuspects runs inside the namespace.
func (s *survey) readSuspects(ctx context.Context, sp *space, suspects map[uint64]bool) error {
	conn, err := sockdiag.Dial(0)
	if err != nil {
		return err
	}
	defer conn.Close()
	q := sockdiag.Query{States: halfClosed, Info: true}
	return s.dump(ctx, conn, sp, q, func(row *sockdiag.Row) bool { return suspects[row.Cookie] })
}

// dump adds the rows of one query that keep accepts.
func (s *survey) dump(ctx context.Context, conn *sockdiag.Conn, sp *space, q sockdiag.Query, keep func(*sockdiag.Row) bool) error {
	mark := len(s.sockets)
	stats, err := conn.Dump(ctx, q, func(row *sockdiag.Row) error {
		if row.ULP != sockdiag.ULPMPTCP && keep(row) {
			socket := s.fromRow(sp.seen.ID, row)
			s.add(&socket)
		}
		return nil
	}, func() { s.forget(mark) })
	if err != nil {
		return err
	}
	if stats.Torn {
		s.limits.add(observe.LimitTorn, sp.seen.ID, fmt.Sprintf(
			"the kernel interrupted every dump of the sockets in network namespace %s (%d tries): some may be missing; look again", sp.label(), stats.Tries))
	}
	return nil
}

// forget takes back what a torn dump had added. That is rare, so the others are
// entered anew.
func (s *survey) forget(mark int) {
	kept := s.sockets[:mark]
	s.sockets, s.byCookie, s.multipath = nil, index{}, map[ends]int32{}
	for i := range kept {
		s.add(&kept[i])
	}
}

// dumpMultipath adds the half-closed MPTCP connections and their listeners: the
// subflows stay ESTABLISHED in a TCP dump (kernel-facts). A kernel without MPTCP
// has none. A dead one is listed too until its token is given back: after an
// orderly end, or where it went on as plain TCP, but not after the peer's reset.
func (s *survey) dumpMultipath(ctx context.Context, conn *sockdiag.Conn, sp *space) error {
	q := sockdiag.Query{Protocol: sockdiag.MPTCP, States: halfClosed | sockdiag.States(tcp.Listen, tcp.Closed), Info: true}
	err := s.dump(ctx, conn, sp, q, func(row *sockdiag.Row) bool {
		return row.State != tcp.Closed || row.Inode != 0 && row.Info.Connected
	})
	if errors.Is(err, errors.ErrUnsupported) {
		s.missMultipath(sp)
		return nil
	}
	return err
}

// missMultipath says so where there may be MPTCP sockets that no dump shows.
func (s *survey) missMultipath(sp *space) {
	if s.fs.Multipath() {
		s.limits.add(observe.LimitMasked, sp.seen.ID, fmt.Sprintf(
			"the MPTCP sockets of network namespace %s can't be listed: half-closed ones may be missing, and dead ones; modprobe mptcp_diag", sp.label()))
	}
}

// confirmOwnerless looks a second time for the holders of sockets, given by their
// inodes, that seemed to have none: a descriptor may have been opened or passed on meanwhile. What
// has gone is dropped. It reports whether there were any to look for.
func (s *survey) confirmOwnerless(ctx context.Context, r reader, inodes map[uint64]bool) (bool, error) {
	if len(s.limits.unlisted) > 0 && !privileged() {
		return false, nil // not seeing the holder proves nothing, and a second look neither
	}
	if len(inodes) == 0 {
		return false, nil
	}
	holders, err := r.holders(ctx, s, inodes)
	if err != nil {
		return false, err
	}
	for i := range s.sockets {
		if x := &s.sockets[i]; inodes[x.Inode] && len(x.Holders) == 0 {
			x.Holders = holders[x.Inode]
		}
	}
	gone, err := s.goneSince(ctx, func(x *observe.Socket) bool { return inodes[x.Inode] && len(x.Holders) == 0 })
	if err != nil {
		return false, err
	}
	if len(gone) > 0 {
		s.keep(func(x *observe.Socket) bool { return !gone[x.Cookie] })
	}
	return true, nil
}

// goneSince asks each namespace whether the chosen sockets still exist, and
// returns the cookies of those that do not.
func (s *survey) goneSince(ctx context.Context, chosen func(*observe.Socket) bool) (map[uint64]bool, error) {
	bySpace := map[*space]map[uint64]bool{}
	for i := range s.sockets {
		x := &s.sockets[i]
		sp := s.spaceOf[x.NetNS]
		if sp == nil || !sp.seen.Entered || x.Cookie == 0 || !chosen(x) {
			continue
		}
		if bySpace[sp] == nil {
			bySpace[sp] = map[uint64]bool{}
		}
		bySpace[sp][x.Cookie] = true
	}
	gone := map[uint64]bool{}
	for sp, cookies := range bySpace {
		err := s.enter(sp, func() error {
			conn, err := sockdiag.Dial(0)
			if err != nil {
				return err
			}
			defer conn.Close()
			still, err := existing(ctx, conn, cookies)
			for c := range cookies {
				if !still[c] {
					gone[c] = true
				}
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return gone, nil
}

// existing are those of the sockets that still are, and have a file: one that was
// closed meanwhile may be an orphan for a while.
func existing(ctx context.Context, conn *sockdiag.Conn, cookies map[uint64]bool) (map[uint64]bool, error) {
	still := map[uint64]bool{}
	for _, p := range []sockdiag.Protocol{sockdiag.TCP, sockdiag.MPTCP} {
		_, err := conn.Dump(ctx, sockdiag.Query{Protocol: p, States: halfClosed}, func(row *sockdiag.Row) error {
			if cookies[row.Cookie] && row.Inode != 0 {
				still[row.Cookie] = true
			}
			return nil
		}, nil)
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return nil, err
		}
	}
	return still, nil
}
