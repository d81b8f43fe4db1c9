package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/netns"
	"github.com/closewait/closewait/internal/privilege"
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
	type made struct {
		file *os.File
		err  error
	}
	done := make(chan made, 1)
	go func() {
		f, err := unshared()
		done <- made{f, err}
	}()
	m := <-done
	if m.err != nil {
		t.Fatal(m.err)
	}
	t.Cleanup(func() { _ = m.file.Close() })
	id, err := netns.Identify(m.file)
	if err != nil {
		t.Fatal(err)
	}
	s := &space{id: id, file: m.file}
	if err := s.do(loopbackUp); err != nil {
		t.Fatal(err)
	}
	return s
}

// unshared leaves its goroutine's thread locked and in the new namespace: the
// runtime ends the thread with the goroutine.
func unshared() (*os.File, error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		// The main thread never ends and must stay at home: take another one.
		defer runtime.UnlockOSThread()
		type made struct {
			file *os.File
			err  error
		}
		done := make(chan made, 1)
		go func() {
			f, err := unshared()
			done <- made{f, err}
		}()
		m := <-done
		return m.file, m.err
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	return os.Open("/proc/thread-self/ns/net")
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}

// do runs fn inside the namespace; in the own one if s is that.
func (s *space) do(fn func() error) error { return netns.Do(s.file, fn) }

// freePort is a port that no socket of either family has.
func (s *space) freePort() (port uint16, err error) {
	err = s.do(func() error {
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.Bind(fd, &unix.SockaddrInet6{}); err != nil {
			return err
		}
		name, err := unix.Getsockname(fd)
		port = addrPort(name).Port()
		return err
	})
	return port, err
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
