//go:build linux

package sockdiag

import (
	"errors"
	"fmt"
)

// ErrNotFound means that there is no such socket: it never was, or has ended.
var ErrNotFound = errors.New("no such socket")

var errTruncated = errors.New("a datagram is too long for the read buffer")

// Error is the only error type that this package returns. Its cause answers
// errors.Is: ErrNotFound; errors.ErrUnsupported when the kernel has no handler
// for the protocol; fs.ErrPermission; a context's error; the callback's.
type Error struct {
	// Op is what was being done: "dial", "dump", "get", "destroy" or "close".
	Op  string
	Err error
}

func (e *Error) Error() string { return fmt.Sprintf("sock_diag: %s: %v", e.Op, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
