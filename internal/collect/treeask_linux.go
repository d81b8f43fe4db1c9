package collect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/netns"
	"github.com/closewait/closewait/internal/kernel/pidfd"
	"github.com/closewait/closewait/internal/kernel/sockdiag"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// dump reads the tables of the namespaces that the tree lives in.
func (t *Tree) dump(ctx context.Context, s *survey, held map[uint64][]observe.Holder) error {
	listing, err := netns.ListOf(netns.Options{ProcRoot: t.options.ProcRoot}, t.living())
	if err != nil {
		return err
	}
	listing.Hidden = 0 // they live, as far as is known, where their parents do
	s.list(listing)
	t.lendFiles(s)
	defer t.takeFiles(s)
	before := t.known
	t.dumped, t.spaces, t.beside, t.known = s.begun, s.spaces, nil, map[uint64]sockdiag.ID{}
	t.simple = len(s.spaces) == 1
	for _, sp := range s.spaces {
		if err := s.enter(sp, func() error { return t.dumpSpace(ctx, s, sp, held) }); err != nil {
			return err
		}
	}
	for inode := range before {
		if _, still := t.known[inode]; !still {
			t.vanished(inode)
		}
	}
	for i := range s.sockets {
		if x := &s.sockets[i]; isBeside(x) {
			t.beside = append(t.beside, *x)
		}
	}
	return nil
}

// lendFiles gives a survey the namespaces that are open already, also those
// that are not listed any more: the last process in one may be ending, whose sockets
// are still to be seen.
func (t *Tree) lendFiles(s *survey) {
	for id, file := range t.files {
		if sp := s.spaceOf[id]; sp != nil {
			sp.file = file
			continue
		}
		s.discover(id, file)
	}
	clear(t.files)
}

// takeFiles keeps the namespaces open that have processes, or something held.
func (t *Tree) takeFiles(s *survey) {
	held := map[uint64]bool{}
	for i := range s.sockets {
		held[s.sockets[i].NetNS] = true
	}
	for _, sp := range s.spaces {
		if sp.file != nil && (sp.where != nil || held[sp.seen.ID]) {
			t.files[sp.seen.ID], sp.file = sp.file, nil
		}
	}
}

// dumpSpace runs inside a namespace.
func (t *Tree) dumpSpace(ctx context.Context, s *survey, sp *space, held map[uint64][]observe.Holder) error {
	s.measure(sp)
	conn, err := sockdiag.Dial(0)
	if err != nil {
		return err
	}
	defer conn.Close()
	err = s.dump(ctx, conn, sp, sockdiag.Query{States: socketStates, Info: true}, func(row *sockdiag.Row) bool {
		inode := uint64(row.Inode)
		if held[inode] != nil && sp.seen.Own {
			t.known[inode] = row.ID
		}
		return held[inode] != nil || row.State == tcp.Listen || row.State == tcp.CloseWait && row.Inode == 0
	})
	if err != nil {
		return err
	}
	before := len(s.sockets)
	err = s.dumpMultipath(ctx, conn, sp)
	for i := before; i < len(s.sockets); i++ {
		if x := &s.sockets[i]; held[x.Inode] != nil && x.State != tcp.Listen {
			t.simple = false // one can't be asked for alone
		}
	}
	return err
}

// A dump is taken at least so often, and from so many sockets on always: to ask
// for one takes some 10 µs, for all 4 ms and more.
const (
	longestWithoutDump = time.Second
	mostAsked          = 256
)

// nothingNew reports whether every socket is known, so that no dump is needed.
func (t *Tree) nothingNew(held map[uint64][]observe.Holder, now time.Time) bool {
	if !t.simple || now.Sub(t.dumped) > longestWithoutDump || len(t.known) > mostAsked {
		return false
	}
	for inode := range held {
		_, known := t.known[inode]
		if x := t.strange[inode]; !known && (x == nil || !x.settled && x.dead == nil) {
			return false
		}
	}
	return true
}

// dial opens what the own namespace's table is asked by.
func (t *Tree) dial() (err error) {
	if t.conn == nil {
		t.conn, err = sockdiag.Dial(0)
	}
	return err
}

// ask asks for the known sockets, one by one.
func (t *Tree) ask(ctx context.Context, s *survey, held map[uint64][]observe.Holder) error {
	if err := t.dial(); err != nil {
		return err
	}
	s.spaces = t.spaces
	for _, sp := range s.spaces {
		s.spaceOf[sp.seen.ID] = sp
	}
	for i := range t.beside {
		s.add(&t.beside[i])
	}
	for inode, id := range t.known {
		if held[inode] == nil || id.Remote.Port() == 0 { // a listener is among those beside
			continue
		}
		row, err := t.conn.Get(ctx, id)
		switch {
		case errors.Is(err, sockdiag.ErrNotFound), errors.Is(err, unix.ESTALE): // or its addresses are another's now
			t.vanished(inode)
			continue
		case err != nil:
			return fmt.Errorf("ask for %v → %v: %w", id.Local, id.Remote, err)
		}
		socket := s.fromRow(t.spaces[0].seen.ID, &row)
		s.add(&socket)
	}
	return nil
}

// Remains reports whether a socket that a Look showed is still as it was, whoever
// holds it: the kernel's table is asked, which no process can be missing in. Of
// those in other network namespaces, and of MPTCP, that is not known: false.
func (t *Tree) Remains(ctx context.Context, x *observe.Socket) bool {
	own := slices.ContainsFunc(t.spaces, func(sp *space) bool { return sp.seen.Own && sp.seen.ID == x.NetNS })
	if !own || x.MPTCP || x.Dead() || t.dial() != nil {
		return false
	}
	row, err := t.conn.Get(ctx, sockdiag.ID{Local: x.Local, Remote: x.Remote, Cookie: x.Cookie})
	if errors.Is(err, sockdiag.ErrNotFound) || errors.Is(err, unix.ESTALE) {
		return false
	}
	return err != nil || row.State == x.State && uint64(row.Inode) == x.Inode
}

// vanished notes that a known socket is in the table no more: it is dead, or has
// just been closed. Which of the two is asked at once.
func (t *Tree) vanished(inode uint64) {
	delete(t.known, inode)
	if t.strange[inode] == nil {
		t.strange[inode] = &stranger{}
	}
}

// stranger is a socket that is in no dump: of another kind, not connected yet, or
// dead. Only a copy of its descriptor can tell, and a copy is not quite without
// effect: a close waits for it, and a port that is bound anew in that moment is
// still taken. So it is asked when it has been there at two looks, and never again
// once it is known to be no TCP.
type stranger struct {
	since, last int  // turns
	settled     bool // known not to be TCP, or not to be asked
	dead        *observe.Socket
}

// meetStrangers asks what no dump explains.
func (t *Tree) meetStrangers(s *survey, held map[uint64][]observe.Holder) {
	explained := make(map[uint64]bool, len(s.sockets))
	for i := range s.sockets {
		explained[s.sockets[i].Inode] = true
	}
	for inode, holders := range held {
		_, known := t.known[inode]
		if explained[inode] || known {
			continue
		}
		x := t.strange[inode]
		if x == nil {
			x = &stranger{since: t.turn}
			t.strange[inode] = x
		}
		x.last = t.turn
		if x.dead == nil && !x.settled && x.since < t.turn {
			t.meet(s, x, inode, holders[0])
		}
		if x.dead != nil { // it can only be closed, or be connected anew, which a dump shows
			s.add(x.dead)
		}
	}
	for inode, x := range t.strange {
		if x.last != t.turn {
			delete(t.strange, inode)
		}
	}
}

// meet copies one descriptor for a moment and asks what it is.
func (t *Tree) meet(s *survey, x *stranger, inode uint64, h observe.Holder) {
	process, err := pidfd.Open(int(h.PID))
	if err != nil {
		return // gone, or it will be refused at the next look too
	}
	defer func() { _ = process.Close() }()
	c, err := process.Socket(int(h.FD))
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, pidfd.ErrUnsupported):
		s.limits.unprobed = append(s.limits.unprobed, int(h.PID))
		x.settled = true
		return
	case errors.Is(err, pidfd.ErrNotTCP), errors.Is(err, pidfd.ErrNotSocket):
		x.settled = true
		return
	case err != nil || c.Inode != inode:
		return
	}
	if c.NetNS == 0 && len(s.spaces) > 0 {
		c.NetNS = s.spaces[0].seen.ID // not told without CAP_NET_ADMIN: nearly always the own one
	}
	socket := s.fromCopy(&c)
	if socket.Dead() {
		x.dead = &socket
	}
}
