//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench/sensor: it measures Linux's kernel: run it there")
	os.Exit(3)
}
