//go:build linux

package netns_test

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/netns"
	"github.com/closewait/closewait/internal/testbed"
)

// here is the calling thread's namespace.
func here() (uint64, error) {
	f, err := threadNS()
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return netns.Identify(f)
}

func TestDo(t *testing.T) {
	f, id := freshFile(t)
	own := ownID(t)
	fail := errors.New("fn's own")
	var inside uint64
	var devices string
	err := netns.Do(f, func() (err error) {
		if inside, err = here(); err != nil {
			return err
		}
		text, err := os.ReadFile("/proc/thread-self/net/dev")
		devices = string(text)
		return errors.Join(err, fail)
	})
	if !errors.Is(err, fail) || errors.Unwrap(err) != nil {
		t.Errorf("error is %v, want fn's", err)
	}
	if inside != id {
		t.Errorf("fn ran in %d, want %d", inside, id)
	}
	if n := strings.Count(devices, ":"); n != 1 {
		t.Errorf("a fresh namespace has %d devices, want lo alone: %s", n, devices)
	}
	if now, err := here(); err != nil || now != own {
		t.Errorf("the caller is in %d, %v; want %d", now, err, own)
	}
}

func TestDoNowhere(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := unix.Gettid()
	after := 0
	must(t, "do", netns.Do(nil, func() error { after = unix.Gettid(); return nil }))
	if before != after {
		t.Error("with nil, fn ran on another thread")
	}
}

// TestDoLeavesNoThreadBehind: many at once, and afterwards every goroutine is
// at home.
func TestDoLeavesNoThreadBehind(t *testing.T) {
	f, id := freshFile(t)
	own := ownID(t)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			err := netns.Do(f, func() error {
				if now, err := here(); err != nil || now != id {
					t.Errorf("inside: %d, %v", now, err)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if now, err := here(); err != nil || now != own {
				t.Errorf("outside: %d, %v", now, err)
			}
		})
	}
	wg.Wait()
}

// TestDoSparesTheMainThread: /proc/self shows its namespace as the process's.
func TestDoSparesTheMainThread(t *testing.T) {
	f, _ := freshFile(t)
	for range 200 {
		must(t, "do", netns.Do(f, func() error {
			if unix.Gettid() == unix.Getpid() {
				t.Error("fn ran on the main thread")
			}
			return nil
		}))
	}
	self, err := os.Open("/proc/self/ns/net")
	must(t, "open", err)
	defer self.Close()
	if id, err := netns.Identify(self); err != nil || id != ownID(t) {
		t.Errorf("the main thread is in %d, %v; want %d", id, err, ownID(t))
	}
}

// TestDoSurvivesGoexit: a function that ends its goroutine must not hang the
// caller, nor leave a thread astray.
func TestDoSurvivesGoexit(t *testing.T) {
	f, _ := freshFile(t)
	if err := netns.Do(f, func() error { runtime.Goexit(); return nil }); err == nil {
		t.Error("no error")
	}
	if now, err := here(); err != nil || now != ownID(t) {
		t.Errorf("the caller is in %d, %v", now, err)
	}
}

func TestDoRefusesOtherFiles(t *testing.T) {
	null, err := os.Open("/dev/null")
	must(t, "open", err)
	defer null.Close()
	uts, err := os.Open("/proc/self/ns/uts")
	must(t, "open", err)
	defer uts.Close()
	for _, f := range []*os.File{null, uts} {
		err := netns.Do(f, func() error { t.Error("fn ran"); return nil })
		if own, ok := errors.AsType[*netns.Error](err); !ok || own.Op != "enter" || own.Path != f.Name() {
			t.Errorf("%s: error is %v", f.Name(), err)
		}
		if _, err := netns.Identify(f); !errors.Is(err, netns.ErrNotNetwork) {
			t.Errorf("%s: identified with %v", f.Name(), err)
		}
	}
	must(t, "close", null.Close())
	if err := netns.Do(null, func() error { return nil }); err == nil {
		t.Error("a closed file gives no error")
	}
}

// TestOfSocket: a namespace that only a socket keeps alive is in no list, but
// can be reached through the socket.
func TestOfSocket(t *testing.T) {
	var want uint64
	fd := -1
	testbed.Unshare(t, func() (err error) {
		if want, err = here(); err != nil {
			return err
		}
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		return err
	})
	defer unix.Close(fd)
	if got := find(list(t), want); len(got) != 0 {
		t.Errorf("it is listed: %+v", got)
	}
	f, id, err := netns.OfSocket(fd)
	must(t, "of socket", err)
	defer f.Close()
	if id != want {
		t.Errorf("id is %d, want %d", id, want)
	}
	must(t, "do", netns.Do(f, func() error {
		if now, err := here(); err != nil || now != want {
			t.Errorf("inside: %d, %v", now, err)
		}
		return nil
	}))
}

func TestOfNoSocket(t *testing.T) {
	null, err := os.Open("/dev/null")
	must(t, "open", err)
	defer null.Close()
	_, _, err = netns.OfSocket(int(null.Fd()))
	if own, ok := errors.AsType[*netns.Error](err); !ok || own.Op != "ask socket" {
		t.Errorf("error is %v", err)
	}
}

// TestNoDescriptorStays: neither success nor failure leaves one open.
func TestNoDescriptorStays(t *testing.T) {
	f, _ := freshFile(t)
	null, err := os.Open("/dev/null")
	must(t, "open", err)
	defer null.Close()
	round := func() {
		own := list(t).Namespaces[0]
		self, err := own.Open()
		must(t, "open", err)
		must(t, "close", self.Close())
		must(t, "do", netns.Do(f, func() error { return nil }))
		if err := netns.Do(null, func() error { return nil }); err == nil {
			t.Error("entered /dev/null")
		}
	}
	count := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		must(t, "read", err)
		return len(names)
	}
	round()
	before := count()
	for range 20 {
		round()
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}
