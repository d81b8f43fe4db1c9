package act

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/sockdiag"
	"github.com/closewait/closewait/tcp"
)

// Namespace is a network namespace whose sockets are to be looked at and
// destroyed.
type Namespace struct {
	conn *sockdiag.Conn
	ns   *os.File // nil is the caller's
	// destroy is SOCK_DESTROY.
	destroy func(ctx context.Context, id sockdiag.ID) error
}

// Enter opens the namespace that the descriptor refers to, or, when it is 0 or
// negative, that of the calling thread.
func Enter(netns int) (*Namespace, error) {
	conn, err := sockdiag.Dial(netns)
	if err != nil {
		return nil, &Error{Op: "open", Err: err}
	}
	n := &Namespace{conn: conn, destroy: conn.Destroy}
	if netns > 0 {
		fd, err := unix.FcntlInt(uintptr(netns), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return nil, &Error{Op: "open", Err: errors.Join(err, conn.Close())}
		}
		n.ns = os.NewFile(uintptr(fd), "network namespace")
	}
	return n, nil
}

// Close lets go of the namespace.
func (n *Namespace) Close() error {
	var left error
	if n.ns != nil {
		left = n.ns.Close()
	}
	return errors.Join(left, n.conn.Close())
}

// Look reads the socket now. The error is ErrEnded if there is none.
func (n *Namespace) Look(ctx context.Context, t Target) (Sight, error) {
	_, now, err := n.find(ctx, &t)
	if err != nil {
		return now, &Error{Op: "look", Err: err}
	}
	return now, nil
}

// Destroy ends the socket: a RST to the peer, ECONNABORTED for the application,
// which keeps the descriptor. One that was never accepted is refused unless
// Target.Unaccepted. After is the zero Sight if the socket is listed no more.
func (n *Namespace) Destroy(ctx context.Context, t Target) (before, after Sight, err error) {
	id, before, err := n.find(ctx, &t)
	if err == nil {
		err = t.destroyable(&before)
	}
	if err == nil {
		if err = n.destroy(ctx, id); errors.Is(err, errors.ErrUnsupported) {
			err = n.abort(ctx, &t)
		}
	}
	if err == nil {
		t.Device = before.Device
		if _, after, err = n.find(ctx, &t); errors.Is(err, ErrEnded) {
			err = nil
		}
	}
	if err != nil {
		err = &Error{Op: "destroy", Err: refusal(err)}
	}
	return before, after, err
}

func (t *Target) destroyable(now *Sight) error {
	if err := t.check(now, mayDestroy); err != nil {
		return err
	}
	switch {
	case t.Inode == 0 && now.Inode != 0:
		return ErrAccepted
	case now.Inode == 0 && now.State == tcp.CloseWait && !t.Unaccepted:
		return ErrNeverAccepted
	}
	return nil
}

// find reads the row of the target's cookie.
func (n *Namespace) find(ctx context.Context, t *Target) (sockdiag.ID, Sight, error) {
	id := sockdiag.ID{Local: t.Local, Remote: t.Remote, Cookie: t.Cookie}
	if t.Cookie == 0 {
		return id, Sight{}, ErrNoCookie
	}
	id.Interface = uint32(max(t.Device, 0))
	row, err := n.conn.Get(ctx, id)
	if errors.Is(err, sockdiag.ErrNotFound) && t.Device == 0 {
		row, err = n.search(ctx, t)
	}
	if err != nil {
		if errors.Is(err, sockdiag.ErrNotFound) {
			err = ErrEnded
		}
		return id, Sight{}, err
	}
	return row.ID, sight(&row), nil
}

// search looks for a socket that the direct way does not find because it is bound
// to a device (SO_BINDTODEVICE, a link-local address, a VRF): the kernel wants
// the device's number too, and a dump tells it.
func (n *Namespace) search(ctx context.Context, t *Target) (sockdiag.Row, error) {
	var found *sockdiag.Row
	q := sockdiag.Query{Info: true, Local: t.Local, Remote: t.Remote, States: sockdiag.States(mayDestroy...)}
	_, err := n.conn.Dump(ctx, q, func(r *sockdiag.Row) error {
		if r.Cookie == t.Cookie && r.Interface != 0 {
			row := *r
			found = &row
		}
		return nil
	}, func() { found = nil })
	switch {
	case err != nil:
		return sockdiag.Row{}, err
	case found == nil:
		return sockdiag.Row{}, sockdiag.ErrNotFound
	}
	return *found, nil
}

func sight(r *sockdiag.Row) Sight {
	return Sight{
		State: r.State, Unread: unread(r.State, r.RQueue), SendQ: r.WQueue, Inode: uint64(r.Inode), Device: device(int(r.Interface)),
		Moved:       Moved{Sent: r.Info.BytesSent, Acked: r.Info.BytesAcked, Received: r.Info.BytesReceived},
		LastAckRecv: r.Info.LastAckRecv, Unanswered: r.Info.Probes,
	}
}

// refusal explains what the kernel said to SOCK_DESTROY.
func refusal(err error) error {
	switch {
	case errors.Is(err, sockdiag.ErrNotFound):
		return ErrEnded
	case errors.Is(err, fs.ErrPermission):
		return &CapabilityError{"CAP_NET_ADMIN", "to destroy a socket (in the user namespace that its network namespace belongs to)"}
	}
	return err
}
