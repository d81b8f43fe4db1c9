//go:build !linux

package collect

import (
	"context"
	"runtime"

	"github.com/closewait/closewait/internal/observe"
)

// Look fails: there is no Linux kernel to ask.
func Look(context.Context, Options) (*observe.Snapshot, error) {
	return nil, &UnsupportedError{OS: runtime.GOOS}
}
