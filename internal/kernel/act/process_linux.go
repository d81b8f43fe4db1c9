package act

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/pidfd"
	"github.com/closewait/closewait/internal/kernel/procfs"
	"github.com/closewait/closewait/tcp"
)

// Process is a process whose sockets or limits are to be changed.
type Process struct {
	pid    int
	handle *pidfd.Handle
}

// Open returns the process that has the pid and began at startTicks (field 22 of
// /proc/PID/stat). The error is ErrProcessGone when that one has ended, whoever
// has the pid now.
func Open(proc procfs.FS, pid int, startTicks uint64) (*Process, error) {
	h, err := pidfd.Open(pid)
	if err != nil {
		return nil, &Error{Op: "open", Err: explain(err)}
	}
	// The handle is held already: if the start time is right now, it is the
	// handle's, for a pid is given away only after the process has gone.
	ticks, err := proc.StartTicks(pid)
	if err == nil && ticks != startTicks || errors.Is(err, procfs.ErrGone) {
		err = ErrProcessGone
	}
	if err != nil {
		_ = h.Close()
		return nil, &Error{Op: "open", Err: err}
	}
	return &Process{pid: pid, handle: h}, nil
}

// Close lets go of the process.
func (p *Process) Close() error { return p.handle.Close() }

// Shutdown shuts down both directions of a CLOSE_WAIT socket, as if the
// application had: a FIN goes to the peer, and whoever polls or writes wakes up.
// The descriptor stays with the application.
func (p *Process) Shutdown(fd int, t Target) (before, after Sight, err error) {
	err = p.with(fd, &t, mayShutDown, &before, &after, func(s int) error {
		return unix.Shutdown(s, unix.SHUT_RDWR)
	})
	if err != nil {
		err = &Error{Op: "shutdown", Err: explain(err)}
	}
	return before, after, err
}

// with copies a descriptor, and acts on the copy if it is the target. Whatever
// happens, the copy is closed before with returns: until then a close by the owner
// takes no effect.
func (p *Process) with(fd int, t *Target, may []tcp.State, before, after *Sight, act func(s int) error) error {
	if t.Cookie == 0 {
		return ErrNoCookie
	}
	s, err := p.handle.Copy(fd)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(s) }()
	if err := look(s, t.Cookie, before); err != nil {
		return err
	}
	if err := t.check(before, may); err != nil {
		return err
	}
	if err := act(s); err != nil {
		return err
	}
	return look1(s, after)
}

// explain gives the errors of package pidfd this package's names.
func explain(err error) error {
	switch {
	case errors.Is(err, pidfd.ErrGone):
		return ErrProcessGone
	case errors.Is(err, pidfd.ErrClosed):
		return ErrClosed
	case errors.Is(err, pidfd.ErrNotSocket):
		return ErrReused
	case errors.Is(err, pidfd.ErrUnsupported):
		return &unsupportedError{pidfd.ErrUnsupported}
	case errors.Is(err, unix.ENOTCONN):
		return ErrEnded // a RST came between the check and the act
	}
	if denied, ok := errors.AsType[*pidfd.PermissionError](err); ok {
		return denied // says what is in the way, and the way round it
	}
	if own, ok := errors.AsType[*pidfd.Error](err); ok {
		return own.Err
	}
	return err
}

// Probes is a keepalive setting.
type Probes struct {
	On bool
	// Idle is the silence after which the first probe goes out, Interval the time
	// between further ones, both in whole seconds; Count how many stay unanswered
	// before the connection is given up.
	Idle, Interval time.Duration
	Count          int
}
