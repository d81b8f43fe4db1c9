package pidfd

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Obstacle is what kept the caller from copying a descriptor.
type Obstacle uint8

// The obstacles.
const (
	// NoCapability: the process is another user's, or one that has shut itself
	// off (prctl PR_SET_DUMPABLE), and the caller lacks CAP_SYS_PTRACE.
	NoCapability Obstacle = iota + 1
	// YamaRestricted: kernel.yama.ptrace_scope is 1 or 2, and the caller lacks
	// CAP_SYS_PTRACE.
	YamaRestricted
	// YamaLocked: kernel.yama.ptrace_scope is 3, which binds root too until the
	// next boot.
	YamaLocked
	// Policy: the caller has CAP_SYS_PTRACE, and a security module or the process's
	// user namespace forbids it all the same.
	Policy
)

// String says what the obstacle is and the way round it.
func (o Obstacle) String() string {
	switch o {
	case NoCapability:
		return "the process is not the caller's own (run as root or with CAP_SYS_PTRACE)"
	case YamaRestricted:
		return "kernel.yama.ptrace_scope forbids it (run as root or with CAP_SYS_PTRACE)"
	case YamaLocked:
		return "kernel.yama.ptrace_scope is 3, which forbids it to everybody until the next boot"
	case Policy:
		return "a security module (SELinux, AppArmor, seccomp) or the process's user namespace forbids it"
	}
	return "unknown"
}

// PermissionError says that the caller may not look into a process, and why.
// It holds for all of the process's descriptors. errors.Is(err,
// fs.ErrPermission) is true of it.
type PermissionError struct {
	Obstacle Obstacle
}

func (e *PermissionError) Error() string {
	return fmt.Sprintf("not permitted: %v", e.Obstacle)
}

// Is makes the error an fs.ErrPermission.
func (e *PermissionError) Is(target error) bool { return target == fs.ErrPermission }

// permission finds out why the kernel said EPERM.
func permission(pid int) *PermissionError {
	return &PermissionError{Obstacle: obstacle(yamaScope(), mayTrace(), ownProcess(pid))}
}

// obstacle follows the order of __ptrace_may_access (kernel/ptrace.c), which
// asks for credentials first and then the security modules.
func obstacle(yama int, capable, own bool) Obstacle {
	switch {
	case yama >= 3:
		return YamaLocked
	case capable:
		return Policy
	case !own:
		return NoCapability
	case yama > 0:
		return YamaRestricted
	}
	return Policy
}

// yamaScope returns kernel.yama.ptrace_scope, 0 in a kernel without Yama.
func yamaScope() int {
	text, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	if err != nil {
		return 0
	}
	return parseScope(text)
}

func parseScope(text []byte) int {
	scope, err := strconv.ParseUint(string(bytes.TrimSpace(text)), 10, 8)
	if err != nil {
		return 0
	}
	return int(scope)
}

// mayTrace reports whether CAP_SYS_PTRACE is effective in the calling thread.
func mayTrace() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData // low and high 32 bits
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return false
	}
	return sets[0].Effective&(1<<unix.CAP_SYS_PTRACE) != 0
}

// ownProcess reports whether a process is the caller's user's: the folder of
// one that may not be dumped belongs to root.
func ownProcess(pid int) bool {
	var st unix.Stat_t
	if err := unix.Stat("/proc/"+strconv.Itoa(pid), &st); err != nil {
		return false
	}
	return int(st.Uid) == os.Geteuid()
}
