package testbed

import "golang.org/x/sys/unix"

// Uninterrupted makes a system call until no signal interrupts it: one on a socket with
// a timeout is not restarted by itself (signal(7)), and Go's scheduler sends signals.
func Uninterrupted(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
