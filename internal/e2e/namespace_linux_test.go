package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/netns"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/testbed"
)

// space is a network namespace made for a test, its loopback up.
type space struct {
	id   uint64
	file *os.File // what keeps it alive, until released
}

// ownSpace is the namespace that this process lives in.
func ownSpace(t testing.TB) *space {
	t.Helper()
	f, err := os.Open("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	id, err := netns.Identify(f)
	if err != nil {
		t.Fatal(err)
	}
	return &space{id: id}
}

// newSpace makes a namespace that only a descriptor of this process keeps alive.
func newSpace(t testing.TB) *space {
	t.Helper()
	privilege.Need(t, "a network namespace of its own")
	file := testbed.Namespace(t)
	id, err := netns.Identify(file)
	if err != nil {
		t.Fatal(err)
	}
	return &space{id: id, file: file}
}

// do runs fn inside the namespace; in the own one if s is that.
func (s *space) do(fn func() error) error { return netns.Do(s.file, fn) }

// port is the last that freePort has given away. Those are no ephemeral ports (32768 and
// up, ip_local_port_range), so the kernel gives them to nobody else, not even to another
// family, before the program that is to have them listens.
var port atomic.Uint32

// freePort is a port that no socket of either family has, nor the one after it, which is
// for a relay's server. It is given once.
func (s *space) freePort() (uint16, error) {
	const first, count = 21000, 5800
	port.CompareAndSwap(0, uint32(os.Getpid()%count)) // so that two runs side by side seldom meet
	for range count {
		at := first + 2*int(port.Add(1)%count)
		err := s.do(func() error { return errors.Join(canListen(at), canListen(at+1)) })
		if !errors.Is(err, unix.EADDRINUSE) {
			return uint16(at), err
		}
	}
	return 0, fmt.Errorf("a port for a program: %w", unix.EADDRINUSE)
}

func canListen(port int) error {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrInet6{Port: port})
}

// path is a name of the namespace for misbehave.Spec, "" for the own one.
func (s *space) path() string {
	if s.file == nil {
		return ""
	}
	return fmt.Sprintf("/proc/self/fd/%d", s.file.Fd())
}

// release gives up the descriptor: the namespace lives on if something else
// keeps it.
func (s *space) release(t testing.TB) {
	t.Helper()
	if err := s.file.Close(); err != nil {
		t.Fatal(err)
	}
}

// mount gives the namespace a name, as "ip netns" does, in a folder of the test.
func (s *space) mount(t testing.TB, name string) {
	t.Helper()
	at := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(at, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(s.path(), at, "", unix.MS_BIND, ""); err != nil {
		t.Fatalf("mount a network namespace: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// set changes the namespace's TCP settings.
func (s *space) set(t testing.TB, settings map[string]string) {
	t.Helper()
	err := s.do(func() error {
		for name, value := range settings {
			if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
