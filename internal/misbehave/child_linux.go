package misbehave

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// roleVariable tells a re-executed binary what it is. A process that has it set
// and still calls Start did not call Child first.
const roleVariable = "CLOSEWAIT_MISBEHAVE"

// The roles.
const (
	rolePuppet = "puppet" // does what its control socket says
	roleHolder = "holder" // holds inherited descriptors until the leash is released
	roleLeaf   = "leaf"   // exits at once, or after exec'ing itself some more
)

// Descriptors that every process of a program is started with.
const (
	leashFD   = 3
	controlFD = 4 // puppets
	firstHeld = 4 // holders and leaves
)

// Child must be the first call of main and TestMain. If this process was started
// as a part of a misbehaving program, Child runs that and never returns.
func Child() {
	role := os.Getenv(roleVariable)
	if role == "" {
		return
	}
	_ = os.Unsetenv(roleVariable) // what this process starts gets a role of its own
	switch role {
	case rolePuppet:
		unix.CloseOnExec(leashFD)
		unix.CloseOnExec(controlFD)
		go obey(leashFD)
		runPuppet(newControl(controlFD))
	case roleHolder:
		nameAfterBinary()
		obey(leashFD)
	case roleLeaf:
		runLeaf()
	default:
		fmt.Fprintf(os.Stderr, "%s=%s is no part to play\n", roleVariable, role)
		os.Exit(2)
	}
	os.Exit(0)
}

// runLeaf execs itself as often as its first argument says, then exits with
// whatever descriptors it has open.
func runLeaf() {
	left := 0
	if len(os.Args) > 1 {
		left, _ = strconv.Atoi(os.Args[1])
	}
	if left <= 0 {
		os.Exit(0)
	}
	_ = syscall.Exec(ownPath(), []string{os.Args[0] + "+", strconv.Itoa(left - 1)}, environ(roleLeaf))
	os.Exit(1)
}

// ownPath is the path to start this program again by. The magic link works even
// where the file was removed or, after a change of uid, can not be reached, but a
// process started by it is called "exe".
func ownPath() string {
	path, err := os.Executable()
	if err == nil && unix.Access(path, unix.X_OK) == nil {
		return path
	}
	return "/proc/self/exe"
}

// nameAfterBinary gives this process the comm its siblings have, however it was
// started.
func nameAfterBinary() {
	if path, err := os.Executable(); err == nil {
		_ = os.WriteFile("/proc/self/comm", []byte(filepath.Base(path)), 0)
	}
}

// environ is this process's environment for a child that plays role.
func environ(role string) []string { return append(os.Environ(), roleVariable+"="+role) }
