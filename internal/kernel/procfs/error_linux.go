package procfs

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
)

var (
	// ErrGone means that the process has ended: it holds no descriptor any more.
	ErrGone = errors.New("the process is gone")
	// ErrChanged means that the process became another program (execve) each
	// time it was read; a later look will succeed.
	ErrChanged = errors.New("the process changed while it was read")
	// ErrMalformed means that a file does not have the form that the kernel gives it.
	ErrMalformed = errors.New("malformed")
)

// Error is the error of every function in this package. errors.Is tells
// ErrGone, ErrChanged, ErrMalformed, fs.ErrPermission and fs.ErrNotExist apart.
type Error struct {
	// PID is the process that was read, 0 where it was not about one.
	PID int
	// File is the file below the root, or below the process's folder.
	File string
	Err  error
}

func (e *Error) Error() string {
	where := e.File
	if e.PID != 0 {
		where = fmt.Sprintf("process %d: %s", e.PID, e.File)
	}
	if errors.Is(e.Err, fs.ErrPermission) {
		return fmt.Sprintf("read %s: %v (needs root, or CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH)", where, e.Err)
	}
	return fmt.Sprintf("read %s: %v", where, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// processError types an error met below /proc/PID, where both "no such file"
// and "no such process" mean that the process has ended.
func processError(pid int, file string, err error) error {
	if vanished(err) {
		err = ErrGone
	}
	return &Error{PID: pid, File: file, Err: err}
}

func vanished(err error) bool { return err == unix.ENOENT || err == unix.ESRCH }

func denied(err error) bool { return errors.Is(err, fs.ErrPermission) }
