package collect

import (
	"context"

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

func (r *bpfReader) read(ctx context.Context, s *survey) error {
	strays := map[uint64]observe.Holder{} // namespace → a descriptor that leads to it
	err := r.iterators.Owned(func(rec *bpfiter.Record) error {
		if rec.Subflow {
			return ctx.Err()
		}
		h := observe.Holder{PID: rec.PID, FD: rec.FD}
		if s.spaceOf[uint64(rec.NetNS)] == nil {
			strays[uint64(rec.NetNS)] = h
		}
		if rec.Kind == bpfiter.KindSocket {
			s.hold(s.add(s.fromRecord(rec)), h)
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	for id, h := range strays {
		s.openStray(id, h)
	}
	for _, sp := range s.spaces {
		if err := s.enter(sp, func() error { return r.readSpace(ctx, s, sp) }); err != nil {
			return err
		}
	}
	return nil
}

// readSpace runs inside a namespace.
func (r *bpfReader) readSpace(ctx context.Context, s *survey, sp *space) error {
	s.measure(sp)
	err := r.iterators.Unowned(func(rec *bpfiter.Record) error {
		if rec.Subflow {
			return ctx.Err()
		}
		if rec.Kind == bpfiter.KindSocket {
			s.add(s.fromRecord(rec))
		} else if _, ok := s.byCookie[rec.Cookie]; !ok {
			// It has a file and nobody was seen to hold it: a full row comes from
			// sock_diag if that proves true.
			s.suspect(sp, rec.Cookie)
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	return s.readSuspects(ctx, sp)
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

// openStray opens a namespace that is in no list: only a descriptor of it, or a
// socket in it, keeps it alive.
func (s *survey) openStray(id uint64, h observe.Holder) {
	process, err := pidfd.Open(int(h.PID))
	if err != nil {
		return // gone, and the descriptor with it
	}
	defer process.Close()
	f, err := process.File(int(h.FD))
	if err != nil {
		s.limits.add(observe.LimitNetNS, id, "a network namespace that only a descriptor keeps could not be entered: "+err.Error())
		return
	}
	if got, err := netns.Identify(f); err == nil {
		if got == id {
			s.discover(id, f)
			return
		}
	} else if ns, got, err := netns.OfSocket(int(f.Fd())); err == nil {
		if got == id {
			s.discover(id, ns)
		} else {
			_ = ns.Close()
		}
	}
	_ = f.Close()
}

// halfClosed are the states whose sockets a report is about.
const halfClosed = sockdiag.StateSet(1<<4 | 1<<5 | 1<<8 | 1<<9 | 1<<11)
