//go:build !linux

package gate

import (
	"context"
	"runtime"

	"github.com/closewait/closewait/internal/collect"
)

// Run fails: there is no Linux kernel to ask.
func Run(context.Context, Options) (*Outcome, error) {
	return nil, &collect.UnsupportedError{OS: runtime.GOOS}
}

// NewPolling returns nil: there is nothing to look at.
func NewPolling(Trace) Witness { return nil }

// NewSensed returns nil: there is no sensor.
func NewSensed(*collect.Sensing) Witness { return nil }
