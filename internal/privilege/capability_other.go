//go:build !linux

package privilege

// lacking is never empty elsewhere: closewait's privileges are Linux's.
func lacking() string { return "a Linux kernel" }
