package procfs

import (
	"bytes"
	"math"

	"golang.org/x/sys/unix"
)

// Kind is what a descriptor refers to.
type Kind uint8

// The kinds that Descriptors tells of.
const (
	// Socket is a socket of any family.
	Socket Kind = iota + 1
	// NetNS is a network namespace, held open without a process living in it.
	NetNS
)

// String returns the word the kernel uses for k.
func (k Kind) String() string {
	switch k {
	case Socket:
		return "socket"
	case NetNS:
		return "net"
	}
	return "other"
}

// linkSize holds "socket:[18446744073709551615]"; a longer link is a file's path.
const linkSize = 40

// Descriptors calls each for every descriptor of a process that is a socket or
// a network namespace, with its inode number, and returns nil at the end. A
// process that ends meanwhile only cuts the list short: that is no error.
// errors.Is(err, fs.ErrPermission) means that the list is not the caller's to
// see. All descriptors come from one process, even if its pid is used again.
//
// Not seen are the descriptors of threads that left their process's table: see
// Apart.
func (f FS) Descriptors(pid int, each func(fd int, kind Kind, inode uint64)) error {
	proc, err := f.process(pid)
	if err != nil {
		return listError(pid, err)
	}
	defer proc.close()
	told := -1
	further := func(fd int, kind Kind, inode uint64) {
		if fd > told { // they are listed in their order
			told = fd
			each(fd, kind, inode)
		}
	}
	whole, err := proc.descriptors(further)
	// A thread that has ended shows no descriptors, the main one while others run on too,
	// and that to root only (fs/proc/base.c, task_dump_owner). It may end while it is asked,
	// and so may the next one.
	for tries := 0; !whole && tries < mostThreads && (err == nil || denied(err)); tries++ {
		thread, ok := proc.thread()
		if !ok {
			break
		}
		whole, err = thread.descriptors(further)
		thread.close()
	}
	return listError(pid, err)
}

// mostThreads is how many threads of an ending process are asked.
const mostThreads = 16

func listError(pid int, err error) error {
	if err == nil || vanished(err) {
		return nil
	}
	return &Error{PID: pid, File: "fd", Err: err}
}

// descriptors does the work of Descriptors for one thread's table. whole is false if there
// was none, or if it is there no more: then some may not have been told.
func (d folder) descriptors(each func(fd int, kind Kind, inode uint64)) (whole bool, err error) {
	list, err := d.sub("fd")
	if err != nil {
		return false, err
	}
	defer list.close()
	var link [linkSize]byte
	var last [24]byte
	names := entries{dir: list}
	for name, fd := names.nextNumber(); name != nil; name, fd = names.nextNumber() {
		copy(last[:], name)
		n, err := readlinkat(list.fd, name, link[:])
		if err == unix.ENOENT { // closed since it was listed
			continue
		}
		if err != nil {
			return false, err
		}
		if kind, inode := parseLink(link[:n]); kind != 0 && fd <= math.MaxInt32 {
			each(int(fd), kind, inode)
		}
	}
	if last[0] != 0 {
		_, gone := readlinkat(list.fd, last[:], link[:])
		whole = gone == nil
	}
	return whole, names.err
}

// countDescriptors returns how many descriptors there are.
func (d folder) countDescriptors() (int, error) {
	list, err := d.sub("fd")
	if err != nil {
		return 0, err
	}
	defer list.close()
	names := entries{dir: list}
	count := 0
	for name, _ := names.nextNumber(); name != nil; name, _ = names.nextNumber() {
		count++
	}
	return count, names.err
}

// parseLink reads "socket:[123]" and "net:[123]". No file can be called so: the
// kernel gives files by their path, from "/" on.
func parseLink(link []byte) (Kind, uint64) {
	kind := Socket
	rest, ok := bytes.CutPrefix(link, []byte("socket:["))
	if !ok {
		kind = NetNS
		if rest, ok = bytes.CutPrefix(link, []byte("net:[")); !ok {
			return 0, 0
		}
	}
	if len(rest) == 0 || rest[len(rest)-1] != ']' {
		return 0, 0
	}
	inode, ok := number(rest[:len(rest)-1])
	if !ok {
		return 0, 0
	}
	return kind, inode
}

// thread opens the folder of a thread that still runs in a process whose main
// thread has ended before the others, or is about to: it lets go of its
// descriptors before it shows state Z.
func (d folder) thread() (folder, bool) {
	var st unix.Stat_t
	// The link count of task is 2 and one for each thread (proc_task_getattr):
	// the cheapest way to dismiss kernel threads, which have no descriptors either.
	if err := unix.Fstatat(d.fd, "task", &st, 0); err != nil || st.Nlink <= 3 {
		return folder{}, false
	}
	var text [statSize]byte
	if s, err := d.stat(text[:]); err != nil || !s.exiting() {
		return folder{}, false
	}
	tasks, err := d.sub("task")
	if err != nil {
		return folder{}, false
	}
	defer tasks.close()
	names := entries{dir: tasks}
	for name, _ := names.nextNumber(); name != nil; name, _ = names.nextNumber() {
		task, err := openFolder(tasks.fd, string(name[:len(name)-1]), unix.O_PATH)
		if err != nil {
			continue
		}
		if s, err := task.stat(text[:]); err == nil && !s.exiting() {
			return task, true
		}
		task.close()
	}
	return folder{}, false
}
