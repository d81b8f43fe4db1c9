package procfs

import "golang.org/x/sys/unix"

// maxPID is PID_MAX_LIMIT on 64-bit machines (include/linux/threads.h).
const maxPID = 4 << 20

// PIDs returns the ids of all processes, ascending. With /proc mounted
// hidepid=2 these are only the caller's own: see Hidden.
func (f FS) PIDs() ([]int, error) {
	root, err := openFolder(unix.AT_FDCWD, f.mount(), 0)
	if err != nil {
		return nil, &Error{File: f.mount(), Err: err}
	}
	defer root.close()
	list := entries{dir: root}
	pids := make([]int, 0, 256)
	for name, pid := list.nextNumber(); name != nil; name, pid = list.nextNumber() {
		if pid > 0 && pid <= maxPID {
			pids = append(pids, int(pid))
		}
	}
	if list.err != nil {
		return nil, &Error{File: f.mount(), Err: list.err}
	}
	return pids, nil
}

// Hidden reports whether /proc keeps other users' processes from the caller
// (mount option hidepid=2 or 4): they are then not listed, and read as gone.
// Every pid namespace has a process 1 to ask for.
func (f FS) Hidden() bool {
	var st unix.Stat_t
	return unix.Stat(f.mount()+"/1", &st) == unix.ENOENT
}
