//go:build !linux

package misbehave

import (
	"context"
	"fmt"
	"runtime"
)

// Child must be the first call of main and TestMain. Here it does nothing.
func Child() {}

// Start returns ErrUnsupported: the programs are Linux programs.
func Start(context.Context, Spec) (*Program, error) {
	return nil, fmt.Errorf("misbehaving programs on %s: %w: run them on Linux", runtime.GOOS, ErrUnsupported)
}
