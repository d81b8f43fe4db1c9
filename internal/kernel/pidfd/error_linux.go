package pidfd

import (
	"errors"
	"fmt"
)

var (
	// ErrGone means that the process has ended.
	ErrGone = errors.New("the process is gone")
	// ErrClosed means that the process has no such descriptor: closed since it was
	// listed, or the process is ending.
	ErrClosed = errors.New("the descriptor is closed")
	// ErrNotSocket means that the descriptor is something other than a socket.
	ErrNotSocket = errors.New("not a socket")
	// ErrNotTCP means that the descriptor is a socket of another protocol.
	ErrNotTCP = errors.New("not a TCP socket")
	// ErrUnsupported means that the kernel can't copy descriptors.
	ErrUnsupported = errors.New("pidfd_getfd is not available: it needs Linux 5.6, and a container's seccomp filter may hide it")
)

// Error is the error of every function in this package. errors.Is and
// errors.As tell the ones above and *PermissionError apart.
type Error struct {
	PID int
	// FD is the descriptor, -1 where it was about the process.
	FD  int
	Err error
}

func (e *Error) Error() string {
	if e.FD < 0 {
		return fmt.Sprintf("look into process %d: %v", e.PID, e.Err)
	}
	return fmt.Sprintf("look at descriptor %d of process %d: %v", e.FD, e.PID, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
