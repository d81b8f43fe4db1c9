//go:build linux

package bpfiter

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/testbed"
	"github.com/closewait/closewait/tcp"
)

// open loads a Reader that lasts as long as the test.
func open(t testing.TB, opts Options) *Reader {
	t.Helper()
	const what = "sockets as BPF iterators see them"
	privilege.Need(t, what)
	r, err := Open(opts)
	if u := (*UnavailableError)(nil); errors.As(err, &u) {
		if u.Lack == LackPrivilege {
			privilege.Refused(t, what, err)
		}
		privilege.Unsupported(t, what, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	open(t, Options{}) // whatever a first load opens for good
	before := openFiles(t)
	r, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	unowned := func(each func(*Record) error) error {
		_, err := r.Unowned(each)
		return err
	}
	for _, pass := range []func(func(*Record) error) error{r.Owned, unowned} {
		if err := pass(func(*Record) error { return stop }); err != nil && err != stop {
			t.Error(err)
		}
	}
	programInfo, err := r.objects.Owned.Info()
	if err != nil {
		t.Fatal(err)
	}
	id, _ := programInfo.ID()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors are open, %d were", after, before)
	}
	await(t, "the kernel to forget the program", func() bool {
		p, err := ebpf.NewProgramFromID(id)
		if err == nil {
			p.Close()
		}
		return errors.Is(err, os.ErrNotExist)
	})
	if err := r.Owned(func(*Record) error { return nil }); !errors.Is(err, os.ErrClosed) {
		t.Errorf("reading after Close: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

func TestErrorOfTheCallerComesBack(t *testing.T) {
	r := open(t, Options{})
	connect(t, newNamespace(t), families[0], unix.IPPROTO_TCP) // at least a listener
	stop := errors.New("stop")
	calls := 0
	if err := r.Owned(func(*Record) error { calls++; return stop }); err != stop || calls != 1 {
		t.Errorf("after %d calls: %v", calls, err)
	}
}

func TestPassesRunSideBySide(t *testing.T) {
	r := open(t, Options{})
	ns := newNamespace(t)
	closeWaits(t, ns, 500)
	done := make(chan int, 8)
	id := ns.id(t)
	for range cap(done) / 2 {
		go func() { done <- countCloseWait(r.Owned, id) }()
		go func() {
			n := -1
			_ = ns.run(func() error {
				n = countCloseWait(func(each func(*Record) error) error {
					return everyHalfClosed(r, func(rec *Record) { _ = each(rec) })
				}, id)
				return nil
			})
			done <- n
		}()
	}
	for range cap(done) {
		if n := <-done; n != 500 {
			t.Errorf("a pass read %d sockets, want 500", n)
		}
	}
}

// countCloseWait is -1 if the pass failed.
func countCloseWait(pass func(func(*Record) error) error, ns uint32) (n int) {
	err := pass(func(rec *Record) error {
		if rec.State == tcp.CloseWait && rec.NetNS == ns {
			n++
		}
		return nil
	})
	if err != nil {
		return -1
	}
	return n
}

func TestOpenWithoutPrivilegeSaysWhichIsMissing(t *testing.T) {
	privilege.Need(t, "what an unprivileged user is told")
	testbed.Start(t, "open-as-nobody").Leave()
}

// openAsNobody is the part of that test.
func openAsNobody() error {
	if err := unix.Setresuid(65534, 65534, 65534); err != nil {
		return err
	}
	r, err := Open(Options{})
	if err == nil {
		r.Close()
		return errors.New("an unprivileged user could load the programs")
	}
	var u *UnavailableError
	if !errors.As(err, &u) || u.Lack != LackPrivilege {
		return err
	}
	return nil
}

func TestPausesOfTheKernelAreWaitedOut(t *testing.T) {
	in := &pausing{errs: []error{unix.EAGAIN, unix.EINTR, nil, io.EOF}}
	b := make([]byte, 8)
	if n, err := (patient{in}).Read(b); n != 1 || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
	if n, err := (patient{in}).Read(b); n != 0 || err != io.EOF {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

// pausing returns its errors in turn, and a byte for each nil.
type pausing struct{ errs []error }

func (p *pausing) Read([]byte) (n int, err error) {
	err, p.errs = p.errs[0], p.errs[1:]
	if err == nil {
		n = 1
	}
	return n, err
}

func TestTickRate(t *testing.T) {
	for tick, want := range map[time.Duration]hertz{4_000_000: 250, 1_000_000: 1000, 3_333_333: 300, 10_000_000: 100, 976_563: 1024} {
		if got, err := rateOf(tick); err != nil || got != want {
			t.Errorf("a tick of %v is %d Hz, %v; want %d", tick, got, err, want)
		}
	}
	for _, tick := range []time.Duration{0, -1, 2 * time.Second} {
		if got, err := rateOf(tick); err == nil {
			t.Errorf("a tick of %v is %d Hz", tick, got)
		}
	}
	for d, want := range map[time.Duration]uint32{0: 0, -1: 0, 1: 1, time.Second: 250, time.Minute: 15000, 1 << 62: 1 << 31} {
		if got := hertz(250).ceil(d); got != want {
			t.Errorf("%v is %d jiffies, want %d", d, got, want)
		}
	}
}
