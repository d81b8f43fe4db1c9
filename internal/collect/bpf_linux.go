package collect

import (
	"context"
	"errors"
	"os"

	"github.com/closewait/closewait/internal/kernel/bpfiter"
	"github.com/closewait/closewait/internal/kernel/netns"
	"github.com/closewait/closewait/internal/kernel/pidfd"
	"github.com/closewait/closewait/internal/kernel/sockdiag"
	"github.com/closewait/closewait/internal/observe"
)

// bpfReader reads through BPF iterators: the descriptors of all processes in one
// pass, then the sockets without one, namespace by namespace.
type bpfReader struct {
	iterators *bpfiter.Reader
}

func (r *bpfReader) name() string { return "bpf" }

func (r *bpfReader) close() { _ = r.iterators.Close() }

// read passes over the descriptors and over the namespaces' tables at the same
// time, each on a processor of its own; the two halves are joined afterwards.
func (r *bpfReader) read(ctx context.Context, s *survey) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	beside, done := s.beside(), make(chan error, 1)
	go func() { done <- r.readSpaces(ctx, beside, beside.spaces) }()
	strays, err := r.readOwned(ctx, s)
	if err != nil {
		cancel()
		return errors.Join(err, canceled(<-done))
	}
	if err := <-done; err != nil {
		return err
	}
	s.join(beside)
	listed := len(s.spaces)
	for id, ways := range strays {
		s.openStray(id, ways...)
	}
	if err := r.readSpaces(ctx, s, s.spaces[listed:]); err != nil {
		return err
	}
	return r.settleSuspects(ctx, s)
}

// canceled drops the error of work that was told to stop.
func canceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// readOwned reads the sockets that a process holds. It returns the namespaces
// that are in no list, each with some descriptors that lead to it.
func (r *bpfReader) readOwned(ctx context.Context, s *survey) (strays map[uint64][]observe.Holder, err error) {
	strays = map[uint64][]observe.Holder{}
	err = r.iterators.Owned(func(rec *bpfiter.Record) error {
		if rec.Subflow {
			return ctx.Err()
		}
		h := observe.Holder{PID: rec.PID, FD: rec.FD}
		if s.spaceOf[uint64(rec.NetNS)] == nil {
			if ways := strays[uint64(rec.NetNS)]; len(ways) < manyWays {
				strays[uint64(rec.NetNS)] = append(ways, h)
			}
		}
		if rec.Kind == bpfiter.KindSocket {
			socket := s.fromRecord(rec)
			s.hold(s.add(&socket), h)
		}
		return ctx.Err()
	})
	return strays, err
}

func (r *bpfReader) readSpaces(ctx context.Context, s *survey, spaces []*space) error {
	for _, sp := range spaces {
		if err := s.enter(sp, func() error { return r.readSpace(ctx, s, sp) }); err != nil {
			return err
		}
	}
	return nil
}

// readSpace runs inside a namespace.
func (r *bpfReader) readSpace(ctx context.Context, s *survey, sp *space) error {
	s.measure(sp)
	held, err := r.iterators.Unowned(func(rec *bpfiter.Record) error {
		if !rec.Subflow {
			socket := s.fromRecord(rec)
			s.add(&socket)
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	sp.held = &held
	conn, err := sockdiag.Dial(0)
	if err != nil {
		return err
	}
	defer conn.Close()
	return s.dumpMultipath(ctx, conn, sp)
}

// settleSuspects adds the rows of the sockets with a file that no process was
// seen to hold, if they still exist. That there is none the sums tell.
func (r *bpfReader) settleSuspects(ctx context.Context, s *survey) error {
	for _, sp := range s.spaces {
		if sp.held == nil {
			continue // it could not be entered
		}
		in, differ := sp.held.Differ(s.tallyOf(sp.seen.ID))
		if !differ {
			continue
		}
		err := s.enter(sp, func() error {
			suspects := map[uint64]bool{}
			err := r.iterators.Held(in, func(rec *bpfiter.Record) error {
				if !s.byCookie.has(rec.Cookie) {
					suspects[rec.Cookie] = true
				}
				return ctx.Err()
			})
			if err != nil || len(suspects) == 0 {
				return err
			}
			return s.readSuspects(ctx, sp, suspects)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// holders repeats the pass over the descriptors.
func (r *bpfReader) holders(ctx context.Context, _ *survey, inodes map[uint64]bool) (map[uint64][]observe.Holder, error) {
	found := map[uint64][]observe.Holder{}
	err := r.iterators.Owned(func(rec *bpfiter.Record) error {
		if rec.Kind == bpfiter.KindSocket && inodes[rec.Inode] {
			found[rec.Inode] = append(found[rec.Inode], observe.Holder{PID: rec.PID, FD: rec.FD})
		}
		return ctx.Err()
	})
	return found, err
}

// manyWays is how many descriptors are tried to get into one namespace: some may
// be those of a child that is about to exec, and close them.
const manyWays = 16

// openStray opens a namespace that is in no list: only a descriptor of it, or a
// socket in it, keeps it alive. The first way that leads there will do.
func (s *survey) openStray(id uint64, ways ...observe.Holder) {
	if s.spaceOf[id] != nil {
		return // another descriptor has led there
	}
	var failed error
	for _, h := range ways {
		f, err := strayThrough(id, h)
		if err == nil {
			s.discover(id, f)
			return
		}
		failed = err
	}
	if failed != nil && !errors.Is(failed, netns.ErrGone) {
		s.limits.add(observe.LimitNetNS, id, "a network namespace that only a descriptor keeps could not be entered: "+failed.Error())
	}
}

// strayThrough opens the namespace through a descriptor of it, or of a socket in
// it. netns.ErrGone means that it leads there no more.
func strayThrough(id uint64, h observe.Holder) (*os.File, error) {
	process, err := pidfd.Open(int(h.PID))
	if err != nil {
		return nil, netns.ErrGone // and the descriptor with it
	}
	defer process.Close()
	f, err := process.File(int(h.FD))
	if err != nil {
		return nil, err
	}
	if got, err := netns.Identify(f); err == nil {
		if got == id {
			return f, nil
		}
		_ = f.Close()
		return nil, netns.ErrGone
	}
	defer f.Close()
	ns, got, err := netns.OfSocket(int(f.Fd()))
	if err != nil {
		return nil, err
	}
	if got != id {
		_ = ns.Close()
		return nil, netns.ErrGone
	}
	return ns, nil
}

// halfClosed are the states whose sockets a report is about.
const halfClosed = sockdiag.StateSet(1<<4 | 1<<5 | 1<<8 | 1<<9 | 1<<11)
