package collect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/closewait/closewait/internal/kernel/bpfiter"
	"github.com/closewait/closewait/internal/kernel/netns"
	"github.com/closewait/closewait/internal/kernel/procfs"
	"github.com/closewait/closewait/internal/observe"
)

// Look reads the host once.
func Look(ctx context.Context, o Options) (*observe.Snapshot, error) {
	begun := time.Now()
	fs := procfs.New(o.ProcRoot)
	host, err := fs.Host()
	if err != nil {
		return nil, fmt.Errorf("look at this host: %w", err)
	}
	s := newSurvey(fs, begun, o.window())
	r, err := openReader(o, s)
	if err != nil {
		return nil, err
	}
	defer r.close()
	listing, err := netns.List(netns.Options{ProcRoot: o.ProcRoot})
	if err != nil {
		return nil, fmt.Errorf("look at this host: %w", err)
	}
	s.list(listing)
	defer s.closeSpaces()
	if err := r.read(ctx, s); err != nil {
		return nil, fmt.Errorf("look at this host: %w", err)
	}
	s.dropSubflows()
	if err := s.settleOwners(ctx, r, host); err != nil {
		return nil, fmt.Errorf("look at this host: %w", err)
	}
	s.keepLiveLegs()
	if err := s.countPorts(ctx); err != nil {
		return nil, fmt.Errorf("look at this host: %w", err)
	}
	return s.snapshot(host, r.name()), nil
}

// reader is a way to read the sockets of all namespaces and who holds them.
type reader interface {
	name() string
	// read fills the survey with sockets, holders, settings and counters.
	read(ctx context.Context, s *survey) error
	// holders looks again, for the sockets (by inode) that seemed to have none.
	holders(ctx context.Context, s *survey, inodes map[uint64]bool) (map[uint64][]observe.Holder, error)
	close()
}

// openReader chooses. Falling back from a reader that was asked for by name is
// an error: who names one wants it.
func openReader(o Options, s *survey) (reader, error) {
	switch o.Reader {
	case "procfs":
		return &procReader{fs: s.fs}, nil
	case "", "auto", "bpf":
	default:
		return nil, fmt.Errorf("unknown reader %q: use auto, bpf or procfs", o.Reader)
	}
	iterators, err := bpfiter.Open(bpfiter.Options{Window: s.window})
	if err == nil {
		return &bpfReader{iterators: iterators}, nil
	}
	if lack, ok := errors.AsType[*bpfiter.UnavailableError](err); o.Reader == "bpf" || !ok {
		return nil, fmt.Errorf("use the bpf reader (--reader procfs needs none of it): %w", err)
	} else if lack.Lack == bpfiter.LackKernel {
		// Without privilege or BTF the other reader is simply the right one; a
		// kernel that should have taken the programs is worth a word.
		s.note = "the bpf reader could not be used: " + err.Error()
	}
	return &procReader{fs: s.fs}, nil
}
