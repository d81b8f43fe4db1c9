package bpfiter

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Options adjusts what a Reader reads.
type Options struct {
	// Window is how recent data, sent or received, must be for an ESTABLISHED
	// socket to be read. 0 reads none of them.
	Window time.Duration
}

// Reader is a loaded pair of iterators. It holds a few descriptors of the process
// until Close. Its passes may run at the same time; Close may not.
type Reader struct {
	hz      hertz
	objects socketsObjects
	owned   *link.Iter
	unowned *link.Iter
	// counting is held while unowned runs: its sums are of one pass.
	counting sync.Mutex
}

// Open loads the programs into the kernel. If they can't be, for want of a
// privilege or of a kernel feature, the error is an *UnavailableError.
func Open(opts Options) (*Reader, error) {
	hz, err := tickRate()
	if err != nil {
		return nil, err
	}
	r := &Reader{hz: hz}
	if err := r.load(hz.ceil(opts.Window)); err != nil {
		return nil, unavailable(err)
	}
	if r.owned, err = link.AttachIter(link.IterOptions{Program: r.objects.Owned}); err == nil {
		r.unowned, err = link.AttachIter(link.IterOptions{Program: r.objects.Unowned})
	}
	if err != nil {
		return nil, errors.Join(unavailable(err), r.Close())
	}
	return r, nil
}

func (r *Reader) load(window uint32) error {
	spec, err := loadSockets()
	if err != nil {
		return err
	}
	if err := spec.Variables[socketsVarWindowJiffies].Set(window); err != nil {
		return err
	}
	return spec.LoadAndAssign(&r.objects, nil)
}

// unavailable classes why the kernel refused.
func unavailable(err error) error {
	lack := LackKernel
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES) && !verifierRefused(err):
		lack = LackPrivilege
	case missingBTF():
		lack = LackBTF
	}
	return &UnavailableError{Lack: lack, Err: err}
}

// verifierRefused tells the verifier's EACCES from that of a missing privilege.
func verifierRefused(err error) bool {
	var v *ebpf.VerifierError
	return errors.As(err, &v) && len(v.Log) > 0
}

func missingBTF() bool {
	_, err := os.Stat("/sys/kernel/btf/vmlinux")
	return errors.Is(err, os.ErrNotExist)
}

// Owned calls each for every socket of interest that a descriptor of any
// process refers to, in all network namespaces: one KindSocket record for each
// descriptor of a half-closed or LISTEN socket, of a socket whose connection is
// gone, and of an ESTABLISHED one with traffic inside the window; and one
// KindNetNS record for each descriptor of a network namespace.
//
// The record is only valid during the call. An error of each ends the pass and
// is returned as it is.
func (r *Reader) Owned(each func(*Record) error) error {
	threads := make(descriptors)
	return r.pass(r.owned, "iter/task_file", func(rec *Record) error {
		if threads.seen(rec) {
			return nil
		}
		return each(rec)
	})
}

// Unowned calls each for every half-closed socket of the network namespace of
// the calling thread to which no file refers: it was never accepted, or it is an
// orphan or an orphan's FIN_WAIT_2 mini-socket. Those with a file are not told
// one by one, but by their tally. Sockets in TIME_WAIT are left out of both. A
// caller that enters a namespace locks its goroutine to the thread first.
//
// The record is only valid during the call. An error of each ends the pass and
// is returned as it is.
func (r *Reader) Unowned(each func(*Record) error) (held Tally, err error) {
	r.counting.Lock()
	defer r.counting.Unlock()
	if r.unowned == nil {
		return held, fmt.Errorf("read iter/tcp: %w", os.ErrClosed)
	}
	if err := errors.Join(r.objects.Listing.Set(false), r.objects.Tally.Set(held)); err != nil {
		return held, fmt.Errorf("prepare iter/tcp: %w", err)
	}
	if err := r.pass(r.unowned, "iter/tcp", each); err != nil {
		return held, err
	}
	return held, r.objects.Tally.Get(&held)
}

// Held calls each with a KindHeld record for every half-closed socket of the
// network namespace of the calling thread that has a file and falls into one of
// the buckets: those in which the tally of Unowned differs from what Owned told.
func (r *Reader) Held(in Buckets, each func(*Record) error) error {
	r.counting.Lock()
	defer r.counting.Unlock()
	if r.unowned == nil {
		return fmt.Errorf("read iter/tcp: %w", os.ErrClosed)
	}
	if err := errors.Join(r.objects.Listing.Set(true), r.objects.Listed.Set(in)); err != nil {
		return fmt.Errorf("prepare iter/tcp: %w", err)
	}
	return r.pass(r.unowned, "iter/tcp", each)
}

// pass runs one iterator to its end.
func (r *Reader) pass(it *link.Iter, name string, each func(*Record) error) error {
	if it == nil {
		return fmt.Errorf("read %s: %w", name, os.ErrClosed)
	}
	in, err := it.Open()
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	defer in.Close()
	// The kernel fills eight pages before it copies (bpf_seq_read()).
	return decodeAll(patient{direct(in)}, 8*os.Getpagesize(), r.hz, name, each)
}

// direct reads from in without telling Go's scheduler, where it can. A read
// takes the kernel some 150 µs of work, never a wait; told of it, the scheduler
// would each time pass the goroutine's turn to another thread and fetch it back,
// which costs a twentieth of a look (docs/bench-scan.md).
func direct(in io.Reader) io.Reader {
	if f, ok := in.(*os.File); ok {
		return &directFile{f}
	}
	return in
}

type directFile struct{ *os.File }

func (f *directFile) Read(b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, f.Fd(), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	switch {
	case errno != 0:
		return 0, errno
	case n == 0:
		return 0, io.EOF
	}
	return int(n), nil
}

// patient reads on where the kernel paused: after a million descriptors
// without a record bpf_seq_read() returns EAGAIN and keeps its place.
type patient struct{ in io.Reader }

func (p patient) Read(b []byte) (int, error) {
	for {
		n, err := p.in.Read(b)
		if n > 0 || !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// Close unloads the programs.
func (r *Reader) Close() error {
	var errs []error
	for _, it := range []*link.Iter{r.owned, r.unowned} {
		if it != nil {
			errs = append(errs, it.Close())
		}
	}
	errs = append(errs, r.objects.Close())
	r.owned, r.unowned, r.objects = nil, nil, socketsObjects{}
	return errors.Join(errs...)
}
