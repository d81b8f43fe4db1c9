package misbehave

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// leash ties a program's processes to the one that started them, both ways. All
// of them hold the far end and exit when they read its end of file; nothing is
// ever written. The near end reads end of file when the last of them is gone,
// whoever forked it. PR_SET_PDEATHSIG could do neither: it follows a thread, not
// a process, and does not reach grandchildren.
type leash struct {
	near int
	far  *os.File // nil once every actor has inherited it
}

func newLeash() (*leash, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make the leash: %w", err)
	}
	return &leash{near: ends[0], far: os.NewFile(uintptr(ends[1]), "leash")}, nil
}

// handedOut closes this process's copy of the far end, so that only the
// program's processes hold it.
func (l *leash) handedOut() {
	if l.far != nil {
		_ = l.far.Close()
		l.far = nil
	}
}

// release tells all processes to go, and waits until they have.
func (l *leash) release(within time.Duration) error {
	l.handedOut()
	_ = unix.Shutdown(l.near, unix.SHUT_WR)
	defer unix.Close(l.near)
	if err := waitFor(l.near, unix.POLLIN, time.Now().Add(within)); err != nil {
		return errors.New("a process of the program is still there " + within.String() + " after it was told to go")
	}
	return nil
}

// obey exits this process when the leash fd is released.
func obey(fd int) {
	buf := make([]byte, 1)
	for {
		n, err := unix.Read(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 {
			os.Exit(0)
		}
	}
}
