package procfs

import (
	"strconv"
)

// Holds reports whether a descriptor of a process refers to the given socket or
// namespace at this moment. It is false when the process has ended, and when
// its descriptors are not the caller's to see.
func (f FS) Holds(pid, fd int, kind Kind, inode uint64) bool {
	proc, err := f.process(pid)
	if err != nil {
		return false
	}
	defer proc.close()
	var buf [linkSize]byte
	link, err := proc.link("fd/"+strconv.Itoa(fd), buf[:])
	if err != nil {
		thread, ok := proc.thread() // the main thread may have ended before the others
		if !ok {
			return false
		}
		defer thread.close()
		if link, err = thread.link("fd/"+strconv.Itoa(fd), buf[:]); err != nil {
			return false
		}
	}
	gotKind, got := parseLink(link)
	return gotKind == kind && got == inode
}
