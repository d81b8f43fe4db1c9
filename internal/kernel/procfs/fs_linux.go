package procfs

import (
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// FS is a mounted proc filesystem. The zero value is /proc.
type FS struct{ root string }

// New returns the proc filesystem mounted at root, such as /host/proc in a
// container. An empty root means /proc.
func New(root string) FS { return FS{root: root} }

func (f FS) mount() string {
	if f.root == "" {
		return "/proc"
	}
	return f.root
}

// folder is an open directory. A folder of /proc/PID refers to that very
// process for as long as it is open: once the process has ended it reads as
// ESRCH or ENOENT, even if the pid is in use again (fs/proc/base.c,
// get_proc_task), so what is read below it never mixes two processes.
type folder struct{ fd int }

// open opens the folder root/name.
func (f FS) open(name string) (folder, error) {
	return openFolder(unix.AT_FDCWD, f.mount()+"/"+name, unix.O_PATH)
}

// process opens the folder of a process.
func (f FS) process(pid int) (folder, error) {
	if pid <= 0 { // "/proc/-1" does not exist, nor does what it names
		return folder{fd: -1}, unix.ESRCH
	}
	return f.open(strconv.Itoa(pid))
}

func openFolder(at int, path string, flags int) (folder, error) {
	for {
		fd, err := unix.Openat(at, path, flags|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return folder{fd: fd}, err
		}
	}
}

func (d folder) close() { _ = unix.Close(d.fd) }

// sub opens a folder below d for listing.
func (d folder) sub(name string) (folder, error) { return openFolder(d.fd, name, unix.O_RDONLY) }

// read returns the beginning of a file, as much of it as buf holds.
func (d folder) read(name string, buf []byte) ([]byte, error) {
	fd, err := unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	for err == unix.EINTR {
		fd, err = unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }()
	n := 0
	for n < len(buf) {
		m, err := unix.Read(fd, buf[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if m <= 0 {
			break
		}
		n += m
	}
	return buf[:n], nil
}

// link returns where a symbolic link points, as much of it as buf holds.
func (d folder) link(name string, buf []byte) ([]byte, error) {
	n, err := unix.Readlinkat(d.fd, name, buf)
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}

// readlinkat is unix.Readlinkat for a name that already ends in NUL, as in a
// directory entry: no allocation.
func readlinkat(dir int, name, buf []byte) (int, error) {
	n, _, errno := unix.Syscall6(unix.SYS_READLINKAT, uintptr(dir), uintptr(unsafe.Pointer(&name[0])),
		uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
