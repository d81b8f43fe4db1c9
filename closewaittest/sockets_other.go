//go:build !linux || 386

package closewaittest

import "runtime"

// unsupported says what is missing here.
func unsupported() string {
	return "that needs Linux, 64-bit or ARM, and this is " + runtime.GOOS + "/" + runtime.GOARCH
}

func sockets() ([]Socket, error) { return nil, nil }
