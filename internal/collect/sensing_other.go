//go:build !linux

package collect

import (
	"context"
	"runtime"
	"time"

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

// Follow fails.
func (*Sensing) Follow(int) error { return &UnsupportedError{OS: runtime.GOOS} }

// Has is never asked.
func (*Sensing) Has(int, time.Time) bool { return false }

// CatchUp is never asked.
func (*Sensing) CatchUp(context.Context) bool { return false }

// Lost is nothing.
func (*Sensing) Lost() uint64 { return 0 }

// Seen is nothing.
func (*Sensing) Seen() *observe.Sensor { return nil }

// Recall fails.
func (*Sensing) Recall(*observe.Snapshot) error { return &UnsupportedError{OS: runtime.GOOS} }

// Listen fails.
func (*Sensing) Listen(context.Context, func(), func(*observe.Happening)) error {
	return &UnsupportedError{OS: runtime.GOOS}
}
