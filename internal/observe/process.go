package observe

import "time"

// Process is one process that holds a socket of the snapshot. Fields that could
// not be read are zero, and a Limit says so.
type Process struct {
	PID int `json:"pid"`
	// NSPIDs are its ids in the pid namespaces below the host's, outermost first,
	// without PID itself; empty when it lives in the host's.
	NSPIDs  []int    `json:"ns_pids,omitempty"`
	PPID    int      `json:"ppid,omitempty"`
	Comm    string   `json:"comm,omitempty"`
	Exe     string   `json:"exe,omitempty"`
	Cmdline []string `json:"cmdline,omitempty"`
	UID     uint32   `json:"uid"`
	// StartedAt is by the host's wall clock; StartTicks is the kernel's own
	// figure (field 22 of /proc/PID/stat), which together with PID names a
	// process for good.
	StartedAt  time.Time `json:"started_at,omitzero"`
	StartTicks uint64    `json:"start_ticks"`
	Threads    int       `json:"threads,omitempty"`
	Halt       Halt      `json:"halt,omitempty"`
	// Cgroups are the lines of /proc/PID/cgroup, "hierarchy:controllers:path".
	Cgroups []string `json:"cgroups,omitempty"`
	// NetNS is the namespace the process lives in, not that of its sockets.
	NetNS uint64 `json:"netns,omitempty"`
	// OpenFiles is its number of descriptors, those of the fullest table where a
	// thread that holds sockets has one of its own; NoFile its RLIMIT_NOFILE, soft and
	// hard. 0 where they could not be read.
	OpenFiles  int    `json:"open_files,omitempty"`
	NoFileSoft uint64 `json:"nofile_soft,omitempty"`
	NoFileHard uint64 `json:"nofile_hard,omitempty"`
}

// Halt is what kept a process from running when it was looked at, empty for
// nothing.
type Halt string

// The halts.
const (
	// HaltStopped: a signal such as SIGSTOP stopped all of it, until SIGCONT.
	HaltStopped Halt = "stopped"
	// HaltTraced: a debugger or another tracer held its main thread, perhaps for a
	// moment only.
	HaltTraced Halt = "traced"
	// HaltFrozen: a control group's freezer held all of it, as "docker pause" has it.
	HaltFrozen Halt = "frozen"
)
