package act

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/closewait/closewait/tcp"
)

// What keeps an act from being done. Nothing was changed then.
var (
	// ErrEnded means that the socket is no more.
	ErrEnded = errors.New("the connection has ended")
	// ErrClosed means that the process has closed the descriptor.
	ErrClosed = errors.New("the process has closed the descriptor")
	// ErrReused means that the descriptor is something else by now.
	ErrReused = errors.New("the descriptor is used for something else by now")
	// ErrProcessGone means that the process has ended, or that its pid is another
	// process's by now.
	ErrProcessGone = errors.New("the process has ended")
	// ErrInUse means that data moved since the socket was seen.
	ErrInUse = errors.New("in use: data has moved since it was looked at")
	// ErrAccepted means that the application has accepted the connection since.
	ErrAccepted = errors.New("the application has accepted it since it was looked at")
	// ErrNeverAccepted means that the connection waits in a listener's queue.
	ErrNeverAccepted = errors.New("never accepted: destroying it would free no place in the listener's queue")
	// ErrMultipath means Multipath TCP: one cookie and one state do not name one connection there.
	ErrMultipath = errors.New("a Multipath TCP connection can't be told from others safely")
	// ErrNoCookie means that the Target has no cookie.
	ErrNoCookie = errors.New("its cookie is not known, and without it another connection could be hit")
	// ErrEnough means that the limit, or the keepalive, is already what was asked for or better.
	ErrEnough = errors.New("already so")
)

// StateError says that the socket is in a state in which the act must not be done.
type StateError struct {
	// Seen is the Target's state, Now the socket's.
	Seen, Now tcp.State
}

func (e *StateError) Error() string {
	if e.Seen != e.Now {
		return fmt.Sprintf("it is in %v by now, not in %v", e.Now, e.Seen)
	}
	return fmt.Sprintf("it is in %v, where this can't be done", e.Now)
}

// CapabilityError says which capability the caller lacks. errors.Is(err,
// fs.ErrPermission) is true of it.
type CapabilityError struct {
	// Capability is its name, such as "CAP_NET_ADMIN".
	Capability string
	// For says what it is needed for.
	For string
}

func (e *CapabilityError) Error() string {
	return fmt.Sprintf("not permitted: %s needs %s", e.For, e.Capability)
}

// Is makes the error an fs.ErrPermission.
func (e *CapabilityError) Is(target error) bool { return target == fs.ErrPermission }

// unsupportedError is an errors.ErrUnsupported with words of its own.
type unsupportedError struct{ error }

// Is makes the error an errors.ErrUnsupported.
func (e *unsupportedError) Is(target error) bool { return target == errors.ErrUnsupported }

// Error is the error of every function in this package. errors.Is and errors.As
// tell the ones above apart; errors.ErrUnsupported is a kernel that can't.
type Error struct {
	// Op is "open", "look", "shutdown", "keepalive", "destroy" or "limit".
	Op  string
	Err error
}

func (e *Error) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
