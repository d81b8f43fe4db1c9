//go:build linux

package act

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/sockdiag"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/tcp"
)

// without makes a namespace look like one of a kernel that has no SOCK_DESTROY.
func (n *Namespace) without() *Namespace {
	n.destroy = func(context.Context, sockdiag.ID) error { return errors.ErrUnsupported }
	return n
}

// Without SOCK_DESTROY the iterator does the same: RST, ECONNABORTED, and the
// descriptor stays.
func TestAbortByIteratorResets(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		ours, peer := p.stuck(t)
		other, _ := p.stuck(t)
		before, after, err := p.destroyer(t).without().Destroy(t.Context(), p.target(t, ours))
		if errors.Is(err, errors.ErrUnsupported) {
			privilege.Unsupported(t, "ending a socket by a BPF iterator", err)
		}
		must(t, "destroy", err)
		if before.State != tcp.CloseWait || after != (Sight{}) {
			t.Errorf("from %+v to %+v", before, after)
		}
		if _, err := read(peer); err != unix.ECONNRESET {
			t.Errorf("the peer reads with %v, want ECONNRESET", err)
		}
		if got, err := unix.GetsockoptInt(ours, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || unix.Errno(got) != unix.ECONNABORTED {
			t.Errorf("the application is told %v, %v: want ECONNABORTED", unix.Errno(got), err)
		}
		if state(t, other) != tcp.CloseWait {
			t.Errorf("another connection is in %v", state(t, other))
		}
	})
}

// What the iterator is asked for it checks itself: a state that is another by now,
// or a cookie that is nobody's, ends nothing.
func TestAbortChecksUnderTheLock(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		ours, _ := p.stuck(t)
		n, x := p.destroyer(t).without(), p.target(t, ours)
		wrong := x
		wrong.State = tcp.FinWait2
		var other *StateError
		if err := n.abort(t.Context(), &wrong); errors.Is(err, errors.ErrUnsupported) {
			privilege.Unsupported(t, "ending a socket by a BPF iterator", err)
		} else if !errors.As(err, &other) {
			t.Errorf("in another state: %v", err)
		} else if other.Seen != tcp.FinWait2 || other.Now != tcp.CloseWait {
			t.Errorf("in another state: %v", other)
		}
		open := x
		open.State = tcp.Established // never one that may be ended
		if err := n.abort(t.Context(), &open); !errors.As(err, &other) {
			t.Errorf("asked for an ESTABLISHED one: %v", err)
		}
		nobody := x
		nobody.Cookie = 1<<63 + 5
		if err := n.abort(t.Context(), &nobody); !errors.Is(err, sockdiag.ErrNotFound) {
			t.Errorf("a cookie of nobody: %v", err)
		}
		if state(t, ours) != tcp.CloseWait {
			t.Errorf("ours is in %v", state(t, ours))
		}
	})
}
