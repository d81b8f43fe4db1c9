package sensor

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// layout numbers what is pinned: a change of any of its structs gets a new number.
// TestALayoutHasItsNumber tells when.
const layout = 4

// set is what is loaded, by the names of bpf/sensor.bpf.c.
type set struct {
	maps     map[string]*ebpf.Map
	programs map[string]*ebpf.Program
	links    map[string]link.Link
	// lister reads the histories. It is loaded with the sensor and pinned with it:
	// to read is to read a file.
	lister *link.Iter
}

// tracepoints are the programs' and the kernel's names for them.
var tracepoints = [...]struct{ program, tracepoint string }{
	{traceProgSetState, "inet_sock_set_state"},
	{traceProgRecvLength, "sock_recv_length"},
	{traceProgSpaceAdjust, "tcp_rcv_space_adjust"},
	{traceProgReceiveReset, "tcp_receive_reset"},
	{traceProgSendReset, "tcp_send_reset"},
	{traceProgDestroy, "tcp_destroy_sock"},
}

// Tracepoints are the kernel's names of what the sensor attaches to.
func Tracepoints() (names []string) {
	for _, t := range tracepoints {
		names = append(names, t.tracepoint)
	}
	return names
}

// traced reports whether the running kernel describes a tracepoint.
func traced(tracepoint string) (bool, error) {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return false, err
	}
	var def *btf.Typedef
	err = kernel.TypeByName("btf_trace_"+tracepoint, &def)
	if errors.Is(err, btf.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// load loads and attaches everything that this kernel has a tracepoint for.
func load(has func(tracepoint string) (bool, error)) (*set, error) {
	spec, err := loadTrace()
	if err != nil {
		return nil, err
	}
	missing := uint32(0)
	for i, t := range tracepoints {
		ok, err := has(t.tracepoint)
		switch {
		case err != nil:
			return nil, unavailable(err)
		case !ok && t.program == traceProgSetState:
			return nil, unavailable(fmt.Errorf("no tracepoint %s: %w", t.tracepoint, unix.ENOTSUP))
		case !ok:
			missing |= 1 << i
			delete(spec.Programs, t.program)
		}
	}
	if err := spec.Variables[traceVarSeed].Set(seed()); err != nil {
		return nil, err
	}
	c, err := ebpf.NewCollection(spec)
	if err != nil {
		return nil, unavailable(err)
	}
	s := &set{maps: c.Maps, programs: c.Programs, links: map[string]link.Link{}}
	if s.lister, err = loadLister(c.Maps[traceMapHistories]); err == nil {
		err = s.begin(missing)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func loadLister(histories *ebpf.Map) (*link.Iter, error) {
	spec, err := loadList()
	if err != nil {
		return nil, err
	}
	c, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{
		MapReplacements: map[string]*ebpf.Map{traceMapHistories: histories},
	})
	if err != nil {
		return nil, unavailable(err)
	}
	defer c.Close()
	l, err := link.AttachIter(link.IterOptions{Program: c.Programs[listProgList], Map: histories})
	if err != nil {
		return nil, unavailable(err)
	}
	return l, nil
}

// begin attaches the programs, and then lets them trust what they see: a socket
// that became established between the first and the last might look inbound.
func (s *set) begin(missing uint32) error {
	if err := s.attach(); err != nil {
		return err
	}
	c := traceControl{
		Layout: layout, Missing: missing,
		AttachedUs: clock(unix.CLOCK_MONOTONIC), StartedUs: clock(unix.CLOCK_BOOTTIME),
	}
	return s.maps[traceMapControl].Put(uint32(0), &c)
}

func (s *set) attach() error {
	for name, p := range s.programs {
		l, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			return unavailable(fmt.Errorf("attach %s: %w", name, err))
		}
		s.links[name] = l
	}
	return nil
}

func (s *set) detach() (err error) {
	for _, l := range s.links {
		err = errors.Join(err, l.Close())
	}
	clear(s.links)
	return err
}

// close drops this process's hold; what is pinned stays.
func (s *set) close() error {
	errs := []error{s.detach()}
	if s.lister != nil {
		errs = append(errs, s.lister.Close())
	}
	for _, p := range s.programs {
		errs = append(errs, p.Close())
	}
	for _, m := range s.maps {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}

// seed is not to be guessed by a process that would forge a stack's id.
func seed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return binary.LittleEndian.Uint64(b[:])
}

// clock reads a clock in microseconds. Those used here can't fail.
func clock(id int32) uint64 {
	var t unix.Timespec
	_ = unix.ClockGettime(id, &t)
	return uint64(t.Nano() / 1000)
}

// unavailable classes why the kernel refused.
func unavailable(err error) error {
	lack := LackKernel
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES) && !verifierRefused(err), !privileged():
		lack = LackPrivilege
	case missingBTF():
		lack = LackBTF
	}
	return &UnavailableError{Lack: lack, Err: err}
}

// privileged reports whether this thread has what loading needs. Where it has not,
// the kernel's answers look as if it lacked features.
func privileged() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return true // the kernel's own answer has to do
	}
	has := func(c uint) bool { return data[c/32].Effective>>(c%32)&1 != 0 }
	return has(unix.CAP_SYS_ADMIN) || has(unix.CAP_BPF) && has(unix.CAP_PERFMON)
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
