package pidfd

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Handle refers to one process.
type Handle struct {
	pid   int
	pidfd int
	known namespace // of the socket looked at last
}

// Open returns a handle on the process that has the pid now. The caller who
// learned the pid earlier compares the process's start time after this.
func Open(pid int) (*Handle, error) {
	if pid <= 0 {
		return nil, &Error{PID: pid, FD: -1, Err: ErrGone}
	}
	fd, err := unix.PidfdOpen(pid, 0)
	switch err {
	case nil:
		return &Handle{pid: pid, pidfd: fd}, nil
	case unix.ESRCH:
		err = ErrGone
	case unix.ENOSYS:
		err = ErrUnsupported
	case unix.EPERM: // pidfd_open itself asks for no permission
		err = permission(pid)
	}
	return nil, &Error{PID: pid, FD: -1, Err: err}
}

// Close lets go of the process.
func (h *Handle) Close() error { return unix.Close(h.pidfd) }

// File returns a copy of a descriptor of any kind, for instance of a network
// namespace. It shares the original's file: whoever changes the offset or the flags of
// one changes the other. The owner's close of a socket takes effect only
// after the copy's.
func (h *Handle) File(fd int) (*os.File, error) {
	copied, err := h.copy(fd)
	if err != nil {
		return nil, h.fail(fd, err)
	}
	return os.NewFile(uintptr(copied), "/proc/"+strconv.Itoa(h.pid)+"/fd/"+strconv.Itoa(fd)), nil
}

// Copy is File without the file: a bare descriptor, which the caller closes
// within microseconds, since the owner's close waits for that. Never make an
// os.File of a socket's copy: the runtime would change its flags, which are the
// owner's too.
func (h *Handle) Copy(fd int) (int, error) {
	copied, err := h.copy(fd)
	if err != nil {
		return -1, h.fail(fd, err)
	}
	return copied, nil
}

// Alive reports whether the process has not ended. As long as it has not, its
// pid is nobody else's.
func (h *Handle) Alive() bool {
	for {
		poll := []unix.PollFd{{Fd: int32(h.pidfd), Events: unix.POLLIN}} // readable at the exit
		n, err := unix.Poll(poll, 0)
		if err != unix.EINTR {
			return err == nil && n == 0
		}
	}
}

// copy duplicates a descriptor of the process; the kernel marks the copy
// close-on-exec.
func (h *Handle) copy(fd int) (int, error) {
	if fd < 0 {
		return -1, unix.EBADF
	}
	return unix.PidfdGetfd(h.pidfd, fd, 0)
}

// fail types what pidfd_getfd, or a question to the copy, answered.
func (h *Handle) fail(fd int, err error) error {
	switch err {
	case unix.EBADF:
		err = ErrClosed
	case unix.ESRCH:
		err = ErrGone
	case unix.ENOSYS:
		err = ErrUnsupported
	case unix.ENOTSOCK:
		err = ErrNotSocket
	case unix.EPERM:
		err = permission(h.pid)
	}
	return &Error{PID: h.pid, FD: fd, Err: err}
}
