package act

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Limit is an RLIMIT_NOFILE.
type Limit struct{ Soft, Hard uint64 }

// RaiseOpenFiles raises the process's soft RLIMIT_NOFILE to soft and, if that is
// more than the hard limit, the hard one too. It never lowers either: the error is
// ErrEnough if the limit is as high already.
func (p *Process) RaiseOpenFiles(soft uint64) (before, after Limit, err error) {
	if before, err = p.openFiles(nil); err == nil {
		after, err = p.raise(before, soft)
	}
	if err != nil {
		err = &Error{Op: "limit", Err: p.explain(err, soft, before)}
	}
	return before, after, err
}

func (p *Process) raise(before Limit, soft uint64) (Limit, error) {
	if soft <= before.Soft {
		return before, ErrEnough
	}
	if _, err := p.openFiles(&Limit{Soft: soft, Hard: max(soft, before.Hard)}); err != nil {
		return before, err
	}
	return p.openFiles(nil)
}

// openFiles is prlimit: it returns the limit as it was. There is no prlimit by
// pidfd; but while the process has not ended, its pid is its own, and if it has
// by the time that the call returns, that is the answer.
func (p *Process) openFiles(set *Limit) (Limit, error) {
	var now *unix.Rlimit
	if set != nil {
		now = &unix.Rlimit{Cur: set.Soft, Max: set.Hard}
	}
	if !p.handle.Alive() {
		return Limit{}, ErrProcessGone
	}
	var was unix.Rlimit
	err := unix.Prlimit(p.pid, unix.RLIMIT_NOFILE, now, &was)
	if err == nil && !p.handle.Alive() {
		err = ErrProcessGone
	}
	return Limit{Soft: was.Cur, Hard: was.Max}, err
}

// explain: who may change whose limits is asked in check_prlimit_permission and
// do_prlimit (kernel/sys.c).
func (p *Process) explain(err error, soft uint64, before Limit) error {
	switch {
	case errors.Is(err, unix.ESRCH):
		return ErrProcessGone
	case errors.Is(err, unix.EPERM) && before.Hard > 0 && soft > before.Hard:
		return &CapabilityError{"CAP_SYS_RESOURCE", "a limit beyond the hard one (and no more than fs.nr_open)"}
	case errors.Is(err, unix.EPERM):
		return &CapabilityError{"CAP_SYS_RESOURCE", "the limit of another user's process"}
	}
	return err
}
