//go:build linux

package bpfiter

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// family is an address family and its loopback address.
type family struct {
	name     string
	domain   int
	loopback unix.Sockaddr
}

var families = []family{
	{"IPv4", unix.AF_INET, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}},
	{"IPv6", unix.AF_INET6, &unix.SockaddrInet6{Addr: [16]byte{15: 1}}},
}

// pair is a connection whose two ends are both ours, and its listener. A
// closed descriptor is -1.
type pair struct {
	t                      testing.TB
	listener, client, peer int
}

// connect makes a connection in ns, over TCP or MPTCP.
func connect(t testing.TB, ns *namespace, f family, protocol int) *pair {
	t.Helper()
	p := &pair{t: t, listener: -1, client: -1, peer: -1}
	t.Cleanup(func() {
		for _, fd := range []*int{&p.listener, &p.client, &p.peer} {
			p.close(fd)
		}
	})
	ns.do(t, func() (err error) {
		if p.listener, err = listen(f, protocol); err != nil {
			return err
		}
		if p.client, err = unix.Socket(f.domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, protocol); err != nil {
			return err
		}
		to, err := unix.Getsockname(p.listener)
		if err != nil {
			return err
		}
		if err := unix.Connect(p.client, to); err != nil {
			return err
		}
		p.peer, _, err = unix.Accept4(p.listener, unix.SOCK_CLOEXEC)
		return err
	})
	return p
}

func listen(f family, protocol int) (int, error) {
	fd, err := unix.Socket(f.domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return -1, err
	}
	if err := unix.Bind(fd, f.loopback); err != nil {
		return fd, err
	}
	return fd, unix.Listen(fd, 16)
}

// close closes one end, as its application would.
func (p *pair) close(fd *int) {
	if *fd >= 0 {
		unix.Close(*fd)
	}
	*fd = -1
}

// must fails the test if a call on the pair failed.
func (p *pair) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) finish(fd int) {
	p.t.Helper()
	p.must(unix.Shutdown(fd, unix.SHUT_WR))
}

func (p *pair) send(fd int, n int) {
	p.t.Helper()
	_, err := unix.Write(fd, make([]byte, n))
	p.must(err)
}

// deafen makes fd drop every segment it receives from now on: to the other end
// its host no longer answers.
func (p *pair) deafen(fd int) {
	p.t.Helper()
	drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	p.must(unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop}))
}

// info is TCP_INFO.
func info(t testing.TB, fd int) *unix.TCPInfo {
	t.Helper()
	i, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// await waits until the condition holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 10 s for %s", what)
		}
	}
}

func awaitState(t testing.TB, fd int, state uint8) {
	t.Helper()
	await(t, fmt.Sprintf("state %d of descriptor %d", state, fd), func() bool { return info(t, fd).State == state })
}

func inodeOf(t testing.TB, fd int) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func cookieOf(t testing.TB, fd int) uint64 {
	t.Helper()
	c, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// owned collects the records of one process' descriptors.
func owned(t testing.TB, r *Reader, pid int) map[int]Record {
	t.Helper()
	found := make(map[int]Record)
	err := r.Owned(func(rec *Record) error {
		if int(rec.PID) != pid {
			return nil
		}
		if _, twice := found[int(rec.FD)]; twice {
			t.Errorf("descriptor %d of %d has two records", rec.FD, pid)
		}
		found[int(rec.FD)] = *rec
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// ours is the record of a descriptor of the test itself.
func ours(t testing.TB, r *Reader, fd int) Record {
	t.Helper()
	rec, ok := owned(t, r, os.Getpid())[fd]
	if !ok {
		t.Fatalf("descriptor %d has no record", fd)
	}
	return rec
}

// unowned collects the records of one namespace by cookie.
func unowned(t testing.TB, r *Reader, ns *namespace) map[uint64]Record {
	t.Helper()
	found := make(map[uint64]Record)
	ns.do(t, func() error { return everyHalfClosed(r, func(rec *Record) { found[rec.Cookie] = *rec }) })
	return found
}

// everyHalfClosed calls each for the sockets of this thread's namespace, with a
// file and without.
func everyHalfClosed(r *Reader, each func(*Record)) error {
	keep := func(rec *Record) error {
		each(rec)
		return nil
	}
	held, err := r.Unowned(keep)
	if err != nil {
		return err
	}
	in, _ := held.Differ(&Tally{})
	return r.Held(in, keep)
}
