package act

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/netns"
	"github.com/closewait/closewait/internal/kernel/sockdiag"
)

// abort ends the socket by a BPF iterator, where the kernel has no SOCK_DESTROY.
// The cookie and the state are compared under the socket's lock, and the socket is
// ended under the same: here nothing lies between the check and the act. It
// walks through the namespace's whole table, which takes milliseconds.
func (n *Namespace) abort(ctx context.Context, t *Target) error {
	spec, err := loadAbort()
	if err != nil {
		return err
	}
	states := uint32(0)
	for _, s := range mayDestroy {
		if s == t.State {
			states |= 1 << s // they are numbered as Linux numbers them
		}
	}
	if err := errors.Join(spec.Variables[abortVarWanted].Set(t.Cookie), spec.Variables[abortVarStates].Set(states)); err != nil {
		return err
	}
	var objects abortObjects
	if err := spec.LoadAndAssign(&objects, nil); err != nil {
		return noAbort(err)
	}
	defer objects.Close()
	it, err := link.AttachIter(link.IterOptions{Program: objects.AbortOne})
	if err != nil {
		return noAbort(err)
	}
	defer it.Close()
	if err := netns.Do(n.ns, func() error { return drain(it) }); err != nil {
		return fmt.Errorf("walk through the sockets: %w", err)
	}
	var result int32
	if err := objects.Result.Get(&result); err != nil {
		return err
	}
	switch errno := unix.Errno(-result); {
	case result == 0:
		return nil
	case errno == unix.ENOENT:
		return sockdiag.ErrNotFound
	case errno == unix.EBUSY:
		_, now, err := n.find(ctx, t)
		if err != nil {
			return err
		}
		return &StateError{Seen: t.State, Now: now.State}
	default:
		return errno
	}
}

// drain runs the iterator through: it writes nothing.
func drain(it *link.Iter) error {
	in, err := it.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(io.Discard, in)
	return err
}

// noAbort says why the other way is none here either.
func noAbort(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, ebpf.ErrNotSupported) {
		return &unsupportedError{fmt.Errorf(
			"the kernel was built without CONFIG_INET_DIAG_DESTROY, and the way by BPF (Linux 6.5, CAP_BPF and CAP_PERFMON) is not open: %w", err)}
	}
	return err
}
