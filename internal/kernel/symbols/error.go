package symbols

import (
	"errors"
	"fmt"
	"io/fs"
)

var (
	// ErrGone means that the process of the stack has ended: its addresses mean
	// nothing any more.
	ErrGone = errors.New("the process is gone")
	// ErrClosed means that the Resolver was closed.
	ErrClosed = errors.New("the resolver is closed")
	// errMalformed is the reason why a file is not used.
	errMalformed = errors.New("malformed")
)

// Error is the error of a Resolver. errors.Is tells ErrGone, ErrClosed and
// fs.ErrPermission apart. A frame that has no name is not an error.
type Error struct {
	PID int
	Err error
}

func (e *Error) Error() string {
	if errors.Is(e.Err, fs.ErrPermission) {
		return fmt.Sprintf("name a stack of process %d: %v (needs root, or CAP_SYS_PTRACE)", e.PID, e.Err)
	}
	return fmt.Sprintf("name a stack of process %d: %v", e.PID, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
