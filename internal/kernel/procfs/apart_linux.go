package procfs

import (
	"slices"

	"golang.org/x/sys/unix"
)

// kcmpFiles compares two tasks' descriptor tables (KCMP_FILES,
// include/uapi/linux/kcmp.h).
const kcmpFiles = 2

// mostApart bounds how many tables of one process are told apart: each thread is
// compared with each of them.
const mostApart = 16

// Apart lists threads of a process that left its table of descriptors
// (unshare(CLONE_FILES)), one for each table. Such a thread can be asked about as
// if it were a process: by Descriptors, Holds and OpenFiles. The list is empty
// where the kernel or the caller's privilege has no kcmp(2), and where f is not the
// caller's own /proc, whose ids kcmp knows.
func (f FS) Apart(pid int) []int {
	if f.mount() != "/proc" {
		return nil
	}
	proc, err := f.process(pid)
	if err != nil {
		return nil
	}
	defer proc.close()
	tasks, err := proc.sub("task")
	if err != nil {
		return nil
	}
	defer tasks.close()
	var apart []int
	list := entries{dir: tasks}
	for name, id := list.nextNumber(); name != nil && len(apart) < mostApart; name, id = list.nextNumber() {
		tid := int(id)
		own := tid != pid && differentTables(pid, tid) &&
			!slices.ContainsFunc(apart, func(other int) bool { return !differentTables(other, tid) })
		if own {
			apart = append(apart, tid)
		}
	}
	return apart
}

// differentTables is false also where it can't be told.
func differentTables(a, b int) bool {
	order, _, err := unix.Syscall6(unix.SYS_KCMP, uintptr(a), uintptr(b), kcmpFiles, 0, 0, 0)
	return err == 0 && order != 0
}

// OpenFiles counts the descriptors of a process or thread; 0 if they are not the
// caller's to see.
func (f FS) OpenFiles(pid int) int {
	dir, err := f.process(pid)
	if err != nil {
		return 0
	}
	r := reading{pid: pid, main: dir, living: dir}
	defer r.close()
	n, err := r.openFiles()
	if err != nil {
		return 0
	}
	return n
}
