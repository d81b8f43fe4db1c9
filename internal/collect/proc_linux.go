package collect

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/closewait/closewait/internal/kernel/pidfd"
	"github.com/closewait/closewait/internal/kernel/procfs"
	"github.com/closewait/closewait/internal/kernel/sockdiag"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// procReader dumps each namespace by sock_diag and walks /proc/*/fd for the
// holders. Descriptors that no dump explains may be dead connections, or lead to
// a namespace that nothing else shows: those it copies and asks.
type procReader struct {
	fs procfs.FS
}

func (r *procReader) name() string { return "procfs" }

func (r *procReader) close() {}

// socketStates are those that a dump asks for: TIME_WAIT has no descriptor, and
// neither has a request socket.
const socketStates = sockdiag.AllStates &^ (1<<tcp.TimeWait | 1<<tcp.NewSynReceived | 1<<tcp.SynReceived)

// known says what a dump told about an inode: where its socket is among the
// survey's, or that it is of no interest.
type known map[uint64]int32

const ofNoInterest int32 = -1

func (r *procReader) read(ctx context.Context, s *survey) error {
	inodes := known{}
	for _, sp := range s.spaces {
		if err := s.enter(sp, func() error { return r.readSpace(ctx, s, sp, inodes) }); err != nil {
			return err
		}
	}
	strange, err := r.walk(ctx, s, inodes)
	if err != nil {
		return err
	}
	found := len(s.spaces)
	r.askStrange(s, strange, inodes)
	// Namespaces that only a descriptor keeps: their live sockets are still missing.
	if len(s.spaces) == found {
		return nil
	}
	for _, sp := range s.spaces[found:] {
		if err := s.enter(sp, func() error { return r.readSpace(ctx, s, sp, inodes) }); err != nil {
			return err
		}
	}
	s.dropHolders()
	_, err = r.walk(ctx, s, inodes)
	return err
}

// readSpace runs inside a namespace.
func (r *procReader) readSpace(ctx context.Context, s *survey, sp *space, inodes known) error {
	s.measure(sp)
	conn, err := sockdiag.Dial(0)
	if err != nil {
		return err
	}
	defer conn.Close()
	mark := len(s.sockets)
	err = s.dump(ctx, conn, sp, sockdiag.Query{States: socketStates, Info: true}, func(row *sockdiag.Row) bool {
		if row.Inode != 0 {
			inodes[uint64(row.Inode)] = ofNoInterest
		}
		return row.State.HalfClosed() || row.State == tcp.Listen || row.State == tcp.Established && recent(s, row)
	})
	if err != nil {
		return err
	}
	if err := s.dumpMultipath(ctx, conn, sp); err != nil {
		return err
	}
	for i := mark; i < len(s.sockets); i++ {
		if s.sockets[i].Inode != 0 {
			inodes[s.sockets[i].Inode] = int32(i)
		}
	}
	return nil
}

func recent(s *survey, row *sockdiag.Row) bool {
	window := uint32(s.window.Milliseconds())
	return row.Info.LastDataSent < window && row.Info.DataSegsOut > 0 || row.Info.LastDataRecv < window && row.Info.DataSegsIn > 0
}

// descriptor is one that no dump explains.
type descriptor struct {
	pid, fd int
	kind    procfs.Kind
	inode   uint64
}

// walk reads the descriptors of all processes, gives the survey's sockets their
// holders, and returns what it did not know.
func (r *procReader) walk(ctx context.Context, s *survey, inodes known) ([]descriptor, error) {
	pids, err := r.fs.PIDs()
	if err != nil {
		return nil, err
	}
	if r.fs.Hidden() {
		s.limits.add(observe.LimitOwners, 0, "/proc hides other users' processes (mount option hidepid); run as root")
	}
	s.limits.unlisted = nil
	var strange []descriptor
	for _, pid := range pids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		err := r.fs.Descriptors(pid, func(fd int, kind procfs.Kind, inode uint64) {
			i, ok := inodes[inode]
			switch {
			case kind == procfs.Socket && ok && i >= 0:
				s.hold(i, observe.Holder{PID: int32(pid), FD: int32(fd)})
			case kind == procfs.Socket && !ok, kind == procfs.NetNS && s.spaceOf[inode] == nil:
				strange = append(strange, descriptor{pid, fd, kind, inode})
			}
		})
		if errors.Is(err, fs.ErrPermission) {
			s.limits.unlisted = append(s.limits.unlisted, pid)
		} else if err != nil {
			return nil, err
		}
	}
	return strange, nil
}

// askStrange copies each unexplained descriptor for a moment and asks what it is.
func (r *procReader) askStrange(s *survey, strange []descriptor, inodes known) {
	var process *pidfd.Handle
	last, refused := 0, false
	defer func() {
		if process != nil {
			_ = process.Close()
		}
	}()
	for _, d := range strange {
		if d.pid != last {
			if process != nil {
				_ = process.Close()
			}
			process, _ = pidfd.Open(d.pid)
			last, refused = d.pid, false
		}
		if process == nil || refused {
			continue
		}
		refused = r.ask(s, process, d, inodes)
	}
}

// ask looks at one descriptor; it reports true when the process won't be looked
// into at all.
func (r *procReader) ask(s *survey, process *pidfd.Handle, d descriptor, inodes known) (refused bool) {
	if d.kind == procfs.NetNS {
		s.openStray(d.inode, observe.Holder{PID: int32(d.pid), FD: int32(d.fd)})
		return false
	}
	c, err := process.Socket(d.fd)
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, pidfd.ErrUnsupported):
		s.limits.unprobed = append(s.limits.unprobed, d.pid)
		return true
	case err != nil: // not TCP, or gone meanwhile
		return false
	}
	if c.NetNS != 0 && s.spaceOf[c.NetNS] == nil {
		s.openStray(c.NetNS, observe.Holder{PID: int32(d.pid), FD: int32(d.fd)})
	}
	if c.Inode != d.inode {
		return false
	}
	if c.NetNS == 0 { // not told without CAP_NET_ADMIN: nearly always where its process lives
		c.NetNS = s.homeOf(d.pid)
	}
	if c.Untold && !slices.Contains(s.limits.untold, d.pid) {
		s.limits.untold = append(s.limits.untold, d.pid)
	}
	socket := s.fromCopy(&c)
	if socket.Dead() {
		i := s.add(&socket)
		s.hold(i, observe.Holder{PID: int32(d.pid), FD: int32(d.fd)})
		inodes[d.inode] = i // a second walk finds its holders again
	}
	return false
}

// dropHolders clears them before a second walk.
func (s *survey) dropHolders() {
	for i := range s.sockets {
		s.sockets[i].Holders = nil
	}
}

// holders walks /proc again, for some inodes only, and also through the tables of
// threads that have their own: to look for these each time would take too long.
func (r *procReader) holders(ctx context.Context, _ *survey, inodes map[uint64]bool) (map[uint64][]observe.Holder, error) {
	pids, err := r.fs.PIDs()
	if err != nil {
		return nil, err
	}
	found := map[uint64][]observe.Holder{}
	for _, pid := range pids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, table := range append([]int{pid}, r.fs.Apart(pid)...) {
			err := r.fs.Descriptors(table, func(fd int, kind procfs.Kind, inode uint64) {
				if kind == procfs.Socket && inodes[inode] {
					found[inode] = append(found[inode], observe.Holder{PID: int32(pid), FD: int32(fd)})
				}
			})
			if err != nil && !errors.Is(err, fs.ErrPermission) {
				return nil, err
			}
		}
	}
	return found, nil
}
