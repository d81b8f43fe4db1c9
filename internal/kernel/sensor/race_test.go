//go:build linux

package sensor

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// deep calls connect() so many calls down: each depth is a stack of its own.
//
//go:noinline
func deep(fd int, to *unix.SockaddrInet4, depth int) error {
	if depth > 0 {
		return deep(fd, to, depth-1)
	}
	return unix.Connect(fd, to)
}

// Two processors see a stack for the first time at the same moment, as the workers of
// a pool have it that begin together.
func TestWhoTakesTheSameNewStackAtOnceHasIt(t *testing.T) {
	s := start(t)
	l, at := listen(t, 0)
	for depth := range 50 {
		var ours [2]*os.File
		var here atomic.Int32
		var done sync.WaitGroup
		for i := range ours {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			ours[i] = file(t, fd, err)
			done.Go(func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				here.Add(1)
				for here.Load() < int32(len(ours)) { // nothing that sleeps: it would not be at once
				}
				if err := deep(fd, at, depth); err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
		for _, f := range ours {
			if history(t, s, f).OpenerStack == 0 {
				t.Errorf("%d calls deep: a connection has no opener", depth)
			}
			f.Close()
			accept(t, l).Close()
		}
	}
}
