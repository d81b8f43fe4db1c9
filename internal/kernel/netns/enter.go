//go:build linux

package netns

import (
	"errors"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

var errGoexit = errors.New("the function ended its goroutine instead of returning")

// Do runs fn inside the network namespace that ns is an open file of, and waits
// for it. With a nil ns, fn simply runs where the caller is, which needs no
// privilege. fn's error is returned as it is.
//
// fn runs on a thread of its own, on a goroutine of its own: goroutines that it
// starts are not in the namespace, and when it ends its goroutine (as testing's
// FailNow does) the caller gets an error. Inside, /proc/sys/net shows the namespace, and so
// does /proc/thread-self/net; /proc/net and /proc/self/net do not, for they are
// the main thread's.
//
// When the thread can not be brought back, it is given to no other goroutine and
// ends with this one, and the error says so.
func Do(ns *os.File, fn func() error) error {
	if ns == nil {
		return fn()
	}
	done := make(chan error, 1)
	go func() {
		err := errGoexit
		defer func() { done <- err }() // also when fn panics or ends its goroutine
		err = inside(ns, fn)
	}()
	return <-done
}

func inside(ns *os.File, fn func() error) error {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		// The main thread stays at home: /proc/self/ns/net tells its namespace for
		// the whole process, and the runtime can not end it. While it is locked
		// here, another goroutine is on another thread.
		defer runtime.UnlockOSThread()
		return Do(ns, fn)
	}
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return &Error{Op: "enter", Path: ns.Name(), Err: cause(err)}
	}
	defer home.Close()
	if err := setns(ns); err != nil {
		runtime.UnlockOSThread()
		return &Error{Op: "enter", Path: ns.Name(), Err: err}
	}
	err = fn()
	if back := setns(home); back != nil {
		// Still locked: the runtime ends the thread with this goroutine.
		return errors.Join(err, &Error{Op: "leave", Path: ns.Name(), Err: back})
	}
	runtime.UnlockOSThread()
	return err
}

func setns(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = unix.Setns(int(fd), unix.CLONE_NEWNET) }); err != nil {
		return err
	}
	return inner
}
