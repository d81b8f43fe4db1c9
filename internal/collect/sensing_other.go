//go:build !linux

package collect

import (
	"context"
	"runtime"

	"github.com/closewait/closewait/internal/observe"
)

// Sensing is an open sensor, which only Linux can have.
type Sensing struct {
	ShortLived func(pid int) bool
}

// OpenSensing fails: there is no Linux kernel to sense.
func OpenSensing(Options) (*Sensing, error) { return nil, &UnsupportedError{OS: runtime.GOOS} }

// Own is never asked.
func (*Sensing) Own() bool { return false }

// Stopped is never asked.
func (*Sensing) Stopped() bool { return false }

// Close does nothing.
func (*Sensing) Close() error { return nil }

// Seen is nothing.
func (*Sensing) Seen() *observe.Sensor { return nil }

// Recall fails.
func (*Sensing) Recall(*observe.Snapshot) error { return &UnsupportedError{OS: runtime.GOOS} }

// Listen fails.
func (*Sensing) Listen(context.Context, func(), func(*observe.Happening)) error {
	return &UnsupportedError{OS: runtime.GOOS}
}
