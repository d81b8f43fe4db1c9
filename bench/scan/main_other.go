//go:build !linux

package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench/scan: it compares closewait with ss on Linux, and this is "+runtime.GOOS)
	os.Exit(1)
}
