package collect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/closewait/closewait/internal/kernel/procfs"
	"github.com/closewait/closewait/internal/kernel/sockdiag"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// Tree looks again and again at what the processes below one hold: their
// sockets, what waits in the queues of their listeners, and their dead
// descriptors. It is for one goroutine. None of it needs privilege for processes
// of the same user that live in the same network namespace.
//
// A dump walks through the table of the whole host, which takes milliseconds
// however little it shows. So it is taken where there is something new, and once
// a second; in between, the sockets that are known are asked for one by one.
type Tree struct {
	options Options
	root    int
	fs      procfs.FS
	members []Member
	turn    int

	// What the last dumps told.
	dumped time.Time
	spaces []*space
	known  map[uint64]sockdiag.ID // the tree's sockets of the own namespace, by inode
	beside []observe.Socket       // listeners, and what waits in queues
	simple bool                   // everything is in the own namespace, and not MPTCP
	conn   *sockdiag.Conn         // in the own namespace; nil until needed
	files  map[uint64]*os.File    // other namespaces, kept open

	strange map[uint64]*stranger // descriptors that no dump explains, by inode
}

// Member is a process of a tree.
type Member struct {
	PID, PPID int
	// StartTicks names the process for good, together with PID.
	StartTicks uint64
	// Ended is set for one that only waits to be reaped.
	Ended bool
}

// NewTree is the tree below the process pid, which is not part of it.
func NewTree(o Options, pid int) *Tree {
	return &Tree{options: o, root: pid, fs: procfs.New(o.ProcRoot), strange: map[uint64]*stranger{}, files: map[uint64]*os.File{}}
}

// Close lets go of what the tree holds.
func (t *Tree) Close() error {
	for _, file := range t.files {
		_ = file.Close()
	}
	clear(t.files)
	if t.conn == nil {
		return nil
	}
	return t.conn.Close()
}

// Members are the processes that the last Look found.
func (t *Tree) Members() []Member { return t.members }

// Alive reports whether a process still runs: it is not ending, nor does it only
// wait to be reaped.
func (t *Tree) Alive(pid int, startTicks uint64) bool {
	kin, err := t.fs.Kin(pid)
	return err == nil && !kin.Ended && kin.StartTicks == startTicks && !t.fs.Exiting(pid)
}

// Look reads the tree's sockets once.
func (t *Tree) Look(ctx context.Context) (*observe.Snapshot, error) {
	begun := time.Now()
	if err := t.find(); err != nil {
		return nil, fmt.Errorf("list the processes below %d: %w", t.root, err)
	}
	s := newSurvey(t.fs, begun, t.options.window())
	defer s.closeSpaces()
	host, err := t.fs.Host()
	if err != nil {
		return nil, fmt.Errorf("look at this host: %w", err)
	}
	t.turn++
	held, err := t.walk(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("look at this host: %w", err)
	}
	if t.nothingNew(held, begun) {
		err = t.ask(ctx, s, held)
	} else {
		err = t.dump(ctx, s, held)
	}
	if err != nil {
		return nil, fmt.Errorf("look at this host: %w", err)
	}
	t.meetStrangers(s, held)
	for i := range s.sockets {
		s.sockets[i].Holders = held[s.sockets[i].Inode]
	}
	s.dropSubflows()
	s.keep(func(x *observe.Socket) bool { return len(x.Holders) > 0 || isBeside(x) })
	holders, _ := s.census()
	s.describeHolders(host, holders)
	s.keepLiveLegs()
	s.limits.lost = 0 // a process that ends during a look is seen at the next one
	s.limits.unlisted = t.stillClosed(s.limits.unlisted)
	s.limits.unprobed = t.stillAlive(s.limits.unprobed)
	return s.snapshot(host, "procfs"), nil
}

// isBeside: no process of the tree need hold it.
func isBeside(x *observe.Socket) bool {
	return x.State == tcp.Listen || x.State == tcp.CloseWait && x.Inode == 0
}

// find lists the members. One that was there before stays one until it has been
// reaped: the kernel's list may miss some while others come and go.
func (t *Tree) find() error {
	found, err := t.fs.Descendants(t.root)
	if err != nil {
		return err
	}
	members := make([]Member, 0, len(found))
	seen := map[int]bool{t.root: true}
	for _, kin := range found {
		seen[kin.PID] = true
		members = append(members, Member(kin))
	}
	for _, m := range t.members {
		if seen[m.PID] {
			continue
		}
		if kin, err := t.fs.Kin(m.PID); err == nil && kin.StartTicks == m.StartTicks {
			members = append(members, Member(kin))
		} else if err != nil && !errors.Is(err, procfs.ErrGone) {
			return err
		}
	}
	t.members = members
	return nil
}

func (t *Tree) living() []int {
	pids := make([]int, 0, len(t.members))
	for _, m := range t.members {
		if !m.Ended {
			pids = append(pids, m.PID)
		}
	}
	slices.Sort(pids)
	return pids
}

// stillAlive drops the processes that could not be looked into because they were
// ending.
func (t *Tree) stillAlive(pids []int) []int {
	return slices.DeleteFunc(pids, t.fs.Exiting)
}

// stillClosed drops those that were, or that were just becoming another program,
// and would show their descriptors now.
func (t *Tree) stillClosed(pids []int) []int {
	return slices.DeleteFunc(t.stillAlive(pids), func(pid int) bool {
		err := t.fs.Descriptors(pid, func(int, procfs.Kind, uint64) {})
		return !errors.Is(err, fs.ErrPermission) || t.fs.Exiting(pid)
	})
}

// walk lists the sockets that the tree's processes hold, by inode.
func (t *Tree) walk(ctx context.Context, s *survey) (map[uint64][]observe.Holder, error) {
	held := map[uint64][]observe.Holder{}
	for _, pid := range t.living() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		err := t.fs.Descriptors(pid, func(fd int, kind procfs.Kind, inode uint64) {
			if kind == procfs.Socket {
				held[inode] = append(held[inode], observe.Holder{PID: int32(pid), FD: int32(fd)})
			}
		})
		if errors.Is(err, fs.ErrPermission) {
			s.limits.unlisted = append(s.limits.unlisted, pid)
		} else if err != nil {
			return nil, err
		}
	}
	return held, nil
}
