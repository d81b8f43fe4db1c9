package lab

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// warden is a thread that changes namespaces and starts children. It is kept
// for that alone and ends with the engine: children are tied to the thread that
// started them (PR_SET_PDEATHSIG), and a thread that has been in another
// namespace is given to nobody else.
type warden struct {
	jobs chan func()
	gone chan struct{}
}

func newWarden() *warden {
	w := &warden{jobs: make(chan func()), gone: make(chan struct{})}
	go w.run()
	return w
}

func (w *warden) run() {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		// The main thread has to stay at home: /proc/self/ns/net shows its namespace
		// for all of the process. While it is locked here, another goroutine is on
		// another thread.
		defer runtime.UnlockOSThread()
		go w.run()
		<-w.gone
		return
	}
	defer close(w.gone)
	for job := range w.jobs {
		job()
	}
}

// do runs fn on the thread, in the network namespace ns or, with nil, wherever
// it is.
func (w *warden) do(ns *os.File, fn func() error) error {
	err := errors.New("the function ended its goroutine instead of returning")
	done := make(chan struct{})
	w.jobs <- func() {
		defer close(done)
		if ns != nil {
			if err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
				err = fmt.Errorf("enter a namespace of the lab: %w", err)
				return
			}
		}
		err = fn()
	}
	<-done
	return err
}

// space makes a network namespace that only the returned file keeps alive.
func (w *warden) space() (ns *os.File, err error) {
	err = w.do(nil, func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open a network namespace: %w", err)
		}
		ns = os.NewFile(uintptr(fd), "network namespace of the lab")
		return nil
	})
	return ns, err
}

// end ends the thread.
func (w *warden) end() {
	close(w.jobs)
	<-w.gone
}
