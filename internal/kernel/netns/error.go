//go:build linux

package netns

import (
	"errors"
	"fmt"
)

// ErrGone means that a namespace, or the last process known to live in it, has
// ended since it was listed.
var ErrGone = errors.New("the namespace has gone since it was listed")

// ErrNotNetwork means that a file is no network namespace.
var ErrNotNetwork = errors.New("not a network namespace")

// Error is the only error type that this package returns, but for what a
// function given to Do returns. errors.Is(err, fs.ErrPermission) tells a lack
// of privilege from other causes.
type Error struct {
	// Op is what was being done: "list", "open", "identify", "enter", "leave" or
	// "ask socket".
	Op string
	// Path names the file, where there is one.
	Path string
	Err  error
}

func (e *Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("network namespace: %s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("network namespace: %s %s: %v", e.Op, e.Path, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
