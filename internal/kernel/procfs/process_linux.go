package procfs

import (
	"errors"
)

// Process is what /proc says of one process.
type Process struct {
	PID int
	// NSPIDs are its ids in the pid namespaces below the mount's, outermost
	// first, without PID itself; empty when it lives in the mount's.
	NSPIDs []int
	PPID   int
	// Comm is the name of its main thread, at most 15 bytes that it may choose
	// freely.
	Comm string
	// Exe is its executable, with " (deleted)" after it when that file is gone;
	// empty for a kernel thread.
	Exe string
	// Cmdline is its arguments, or the one string of a rewritten title; the first
	// 4 KiB.
	Cmdline []string
	// UID is its effective user.
	UID     uint32
	Threads int
	// State is that of its main thread, or of one that runs on without it: T when
	// a signal stopped all of it, t while a tracer holds that thread.
	State byte
	// StartTicks is when it began, in clock ticks since boot: see Host.StartedAt.
	StartTicks uint64
	// Cgroups are the lines of /proc/PID/cgroup.
	Cgroups []string
	// NoFileSoft and NoFileHard are its RLIMIT_NOFILE.
	NoFileSoft, NoFileHard uint64
	// OpenFiles is its number of open descriptors.
	OpenFiles int
	// NetNS is the inode number of the network namespace it lives in.
	NetNS uint64
	// Denied names the files below /proc/PID that the caller may not read; what
	// they tell is zero above.
	Denied []string
}

// attempts is how often a process is read that changes each time.
const attempts = 3

// Process reads one process. All of it is about one program: a process that
// execs meanwhile is read again, and if it did so each time the error is
// ErrChanged; one that has ended is ErrGone.
func (f FS) Process(pid int) (Process, error) {
	var err error
	for range attempts {
		var p Process
		if p, err = f.look(pid); err == nil {
			return p, nil
		}
		if !errors.Is(err, ErrChanged) {
			break
		}
	}
	return Process{}, err
}

func (f FS) look(pid int) (Process, error) {
	dir, err := f.process(pid)
	if err != nil {
		return Process{}, processError(pid, "stat", err)
	}
	r := reading{pid: pid, main: dir, living: dir}
	defer r.close()
	before, s, err := r.identity()
	if err != nil {
		return Process{}, err
	}
	p := Process{PID: pid, PPID: s.ppid, Comm: before.comm, Exe: before.exe, Threads: s.threads, State: s.state, StartTicks: before.start}
	if err := r.fill(&p); err != nil {
		return Process{}, err
	}
	after, _, err := r.identity()
	if err != nil {
		return Process{}, err
	}
	if before != after {
		return Process{}, processError(pid, "exe", ErrChanged)
	}
	p.Denied = r.denied
	return p, nil
}
