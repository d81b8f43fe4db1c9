package collect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/closewait/closewait/internal/kernel/bpfiter"
	"github.com/closewait/closewait/internal/kernel/netns"
	"github.com/closewait/closewait/internal/kernel/procfs"
	"github.com/closewait/closewait/internal/observe"
)

// Look reads the host once.
func Look(ctx context.Context, o Options) (*observe.Snapshot, error) {
	begun := time.Now()
	s := newSurvey(procfs.New(o.ProcRoot), begun, o.window())
	// To load BPF programs takes as long as to read a small host: meanwhile, what
	// needs no reader.
	var host procfs.Host
	var unprepared error
	prepared := make(chan struct{})
	go func() {
		host, unprepared = s.prepare(o.ProcRoot)
		close(prepared)
	}()
	r, err := openReader(o, s)
	<-prepared
	if err != nil {
		return nil, err
	}
	defer r.close()
	defer s.closeSpaces()
	if unprepared != nil {
		return nil, fmt.Errorf("look at this host: %w", unprepared)
	}
	if confined(o.ProcRoot) {
		s.limits.add(observe.LimitOwners, 0,
			"processes outside closewait's own pid namespace can't be seen, so who owns some sockets is not known; run it in the host's pid namespace (docker run --pid=host)")
	}
	if err := r.read(ctx, s); err != nil {
		return nil, fmt.Errorf("look at this host: %w", err)
	}
	s.sense(o)
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

// prepare reads what the host is, how much there may be, and its namespaces.
func (s *survey) prepare(procRoot string) (procfs.Host, error) {
	host, err := s.fs.Host()
	if err != nil {
		return host, err
	}
	if count, err := s.fs.Counters(); err == nil {
		s.expect(count.Alloc)
	}
	listing, err := netns.List(netns.Options{ProcRoot: procRoot})
	if err == nil {
		s.list(listing)
	}
	return host, err
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

// hostPIDs is the host's pid namespace (PROC_PID_INIT_INO, include/linux/proc_ns.h).
const hostPIDs = "pid:[4026531836]"

// confined reports whether /proc is of a pid namespace below the host's. It then
// shows that one's processes only, and not by the kernel's own pids.
func confined(procRoot string) bool {
	if procRoot == "" {
		procRoot = "/proc"
	}
	for _, process := range []string{"1", "self"} { // the first of the namespace may refuse to tell
		if ns, err := os.Readlink(procRoot + "/" + process + "/ns/pid"); err == nil {
			return ns != hostPIDs
		}
	}
	return false
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
	if confined(o.ProcRoot) {
		if o.Reader == "bpf" {
			return nil, errors.New("use the bpf reader: this process lives in a pid namespace of its own, where BPF tells the host's pids and /proc does not; run it in the host's (docker run --pid=host), or use --reader procfs")
		}
		return &procReader{fs: s.fs}, nil
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
