//go:build !linux

package main

// alive is never asked: there is nothing to look at.
func alive(int, uint64) bool { return true }
