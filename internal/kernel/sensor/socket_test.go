//go:build linux

package sensor

import (
	"errors"
	"os"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/privilege"
)

// start loads a sensor of the test's own.
func start(t testing.TB) *Sensor {
	t.Helper()
	privilege.Need(t, "the sensor on the running kernel")
	s, err := Load()
	var lack *UnavailableError
	if errors.As(err, &lack) && lack.Lack == LackPrivilege {
		privilege.Refused(t, "the sensor on the running kernel", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// await wants a condition within a few seconds.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// file makes a descriptor that the test closes, whatever happens.
func file(t testing.TB, fd int, err error) *os.File {
	t.Helper()
	must(t, err)
	f := os.NewFile(uintptr(fd), "socket")
	t.Cleanup(func() { f.Close() })
	return f
}

func fd(f *os.File) int { return int(f.Fd()) }

func listen(t testing.TB, protocol int) (*os.File, *unix.SockaddrInet4) {
	t.Helper()
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, protocol)
	l := file(t, s, err)
	must(t, unix.Bind(fd(l), &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(t, unix.Listen(fd(l), 16))
	at, err := unix.Getsockname(fd(l))
	must(t, err)
	return l, at.(*unix.SockaddrInet4)
}

func connect(t testing.TB, to *unix.SockaddrInet4, protocol int) *os.File {
	t.Helper()
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, protocol)
	c := file(t, s, err)
	must(t, unix.Connect(fd(c), to))
	return c
}

func accept(t testing.TB, l *os.File) *os.File {
	t.Helper()
	s, _, err := unix.Accept4(fd(l), unix.SOCK_CLOEXEC)
	return file(t, s, err)
}

// pair is a connection: ours, and the peer's end.
func pair(t testing.TB) (ours, peer *os.File) {
	t.Helper()
	l, at := listen(t, 0)
	ours = connect(t, at, 0)
	peer = accept(t, l)
	must(t, l.Close())
	return ours, peer
}

func send(t testing.TB, f *os.File, n int) {
	t.Helper()
	if got, err := unix.Write(fd(f), make([]byte, n)); got != n || err != nil {
		t.Fatalf("sent %d of %d: %v", got, n, err)
	}
}

func cookie(t testing.TB, f *os.File) uint64 {
	t.Helper()
	c, err := unix.GetsockoptUint64(fd(f), unix.SOL_SOCKET, unix.SO_COOKIE)
	must(t, err)
	return c
}

func state(t testing.TB, f *os.File) uint8 {
	t.Helper()
	info, err := unix.GetsockoptTCPInfo(fd(f), unix.SOL_TCP, unix.TCP_INFO)
	must(t, err)
	return info.State
}

// States of tcp_states.h.
const (
	stateClose     = 7
	stateCloseWait = 8
	stateFinWait2  = 5
)

// finish makes ours half-closed: the peer closes, or only shuts down.
func finish(t testing.TB, ours, peer *os.File, shutdown bool) {
	t.Helper()
	if shutdown {
		must(t, unix.Shutdown(fd(peer), unix.SHUT_WR))
	} else {
		must(t, peer.Close())
	}
	await(t, "CLOSE_WAIT", func() bool { return state(t, ours) == stateCloseWait })
}

// lookup finds a socket's record by its cookie.
func lookup(t testing.TB, s *Sensor, cookie uint64) (found Record, ok bool) {
	t.Helper()
	must(t, s.History(func(r *Record) error {
		if r.Cookie == cookie {
			found, ok = *r, true
		}
		return nil
	}))
	return found, ok
}

func history(t testing.TB, s *Sensor, f *os.File) Record {
	t.Helper()
	r, ok := lookup(t, s, cookie(t, f))
	if !ok {
		t.Fatalf("no history of descriptor %d", fd(f))
	}
	return r
}

func sinceBoot() time.Duration {
	return time.Duration(clock(unix.CLOCK_BOOTTIME)) * time.Microsecond
}

// unspecific is an address of family AF_UNSPEC: connect() to it disconnects.
var nowhere [16]byte

func unspecific() uintptr { return uintptr(unsafe.Pointer(&nowhere)) }
