package collect

import (
	"context"
	"errors"
	"fmt"

	"github.com/closewait/closewait/internal/kernel/sockdiag"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// suspect remembers a socket with a file that no process was seen to hold.
func (s *survey) suspect(sp *space, cookie uint64) {
	if sp.suspects == nil {
		sp.suspects = map[uint64]bool{}
	}
	sp.suspects[cookie] = true
}

// readSuspects adds the rows of the suspects that still exist, and of the MPTCP
// connections that no descriptor led to. It runs inside the namespace.
func (s *survey) readSuspects(ctx context.Context, sp *space) error {
	conn, err := sockdiag.Dial(0)
	if err != nil {
		return err
	}
	defer conn.Close()
	if len(sp.suspects) > 0 {
		q := sockdiag.Query{States: halfClosed, Info: true}
		err := s.dump(ctx, conn, sp, q, func(row *sockdiag.Row) bool { return sp.suspects[row.Cookie] })
		if err != nil {
			return err
		}
	}
	return s.dumpMultipath(ctx, conn, sp)
}

// dump adds the rows of one query that keep accepts.
func (s *survey) dump(ctx context.Context, conn *sockdiag.Conn, sp *space, q sockdiag.Query, keep func(*sockdiag.Row) bool) error {
	mark := len(s.sockets)
	stats, err := conn.Dump(ctx, q, func(row *sockdiag.Row) error {
		if row.ULP != sockdiag.ULPMPTCP && keep(row) {
			s.add(s.fromRow(sp.seen.ID, row))
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

// forget takes back what a torn dump had added.
func (s *survey) forget(mark int) {
	for i := mark; i < len(s.sockets); i++ {
		delete(s.byCookie, s.sockets[i].Cookie)
	}
	clear(s.sockets[mark:])
	s.sockets = s.sockets[:mark]
}

// dumpMultipath adds the half-closed MPTCP connections: their subflows stay
// ESTABLISHED in a TCP dump (kernel-facts). A kernel without MPTCP has none.
func (s *survey) dumpMultipath(ctx context.Context, conn *sockdiag.Conn, sp *space) error {
	q := sockdiag.Query{Protocol: sockdiag.MPTCP, States: halfClosed, Info: true}
	err := s.dump(ctx, conn, sp, q, func(row *sockdiag.Row) bool { return row.State != tcp.Listen })
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// confirmOwnerless looks a second time for the holders of sockets that seemed
// to have none: a descriptor may have been opened or passed on meanwhile. What
// has gone is dropped.
func (s *survey) confirmOwnerless(ctx context.Context, r reader) error {
	if len(s.limits.unlisted) > 0 && !privileged() {
		return nil // not seeing the holder proves nothing, and a second look neither
	}
	inodes := map[uint64]bool{}
	for i := range s.sockets {
		if x := &s.sockets[i]; x.Inode != 0 && len(x.Holders) == 0 && x.State.HalfClosed() {
			inodes[x.Inode] = true
		}
	}
	if len(inodes) == 0 {
		return nil
	}
	holders, err := r.holders(ctx, s, inodes)
	if err != nil {
		return err
	}
	for i := range s.sockets {
		if x := &s.sockets[i]; inodes[x.Inode] && len(x.Holders) == 0 {
			x.Holders = holders[x.Inode]
		}
	}
	gone, err := s.goneSince(ctx, func(x *observe.Socket) bool { return inodes[x.Inode] && len(x.Holders) == 0 })
	if err != nil {
		return err
	}
	if len(gone) > 0 {
		s.keep(func(x *observe.Socket) bool { return !gone[x.Cookie] })
	}
	return nil
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

func existing(ctx context.Context, conn *sockdiag.Conn, cookies map[uint64]bool) (map[uint64]bool, error) {
	still := map[uint64]bool{}
	for _, p := range []sockdiag.Protocol{sockdiag.TCP, sockdiag.MPTCP} {
		_, err := conn.Dump(ctx, sockdiag.Query{Protocol: p, States: halfClosed}, func(row *sockdiag.Row) error {
			if cookies[row.Cookie] {
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
