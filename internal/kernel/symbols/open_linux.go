package symbols

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

var errNotRegular = errors.New("not a regular file")

// openRegular opens what a stranger may have put at a path below the open folder
// root: never a device or a FIFO, never beyond the root, through no symbolic link.
func openRegular(root int, path string) (*os.File, *unix.Stat_t, error) {
	fd, err := unix.Openat2(root, path, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return nil, nil, err
	}
	defer unix.Close(fd)
	return reopen(fd)
}

// reopen opens for reading what an O_PATH descriptor refers to. Only then does
// the kernel call into the file's driver.
func reopen(fd int) (*os.File, *unix.Stat_t, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, nil, err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, nil, errNotRegular
	}
	// O_NONBLOCK: a lease that somebody holds is not waited for.
	in, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(in), "module"), &stat, nil
}
