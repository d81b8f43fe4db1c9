//go:build linux

package sockdiag

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// typeDestroy is SOCK_DESTROY (include/uapi/linux/sock_diag.h).
const typeDestroy = 21

// flagAck is NLM_F_ACK: the kernel answers also when all went well.
const flagAck = 0x4

// Destroy ends one TCP socket as the kernel's tcp_abort does: a RST to the peer
// where the state has one, ECONNABORTED for the application, whose descriptor
// stays. It is the one request here that changes something.
//
// The cookie must be given: the kernel compares it with that of the socket it
// finds at the addresses, so a socket that took them over since is not touched.
// It compares nothing else, so the caller looks at the state before.
//
// The error is ErrNotFound when there is no such socket any more,
// errors.ErrUnsupported of a kernel without CONFIG_INET_DIAG_DESTROY, and
// fs.ErrPermission without CAP_NET_ADMIN over the namespace.
func (c *Conn) Destroy(ctx context.Context, id ID) error {
	ended := c.watch(ctx)
	if err := ended(c.destroy(ctx, id)); err != nil {
		return &Error{Op: "destroy", Err: err}
	}
	return nil
}

func (c *Conn) destroy(ctx context.Context, id ID) error {
	if !id.Local.IsValid() || !id.Remote.IsValid() || id.Local.Addr().Is4() != id.Remote.Addr().Is4() {
		return fmt.Errorf("%v → %v names no connection: give two addresses of one family", id.Local, id.Remote)
	}
	if id.Cookie == 0 || id.Cookie == noCookie {
		return fmt.Errorf("%v → %v without a cookie could be any socket: give its cookie", id.Local, id.Remote)
	}
	if err := c.drain(ctx); err != nil {
		return err
	}
	family := IPv4
	if id.Local.Addr().Is6() {
		family = IPv6
	}
	payload := appendRequestV2(nil, family, TCP, 0, AllStates, id)
	seq, err := c.link.send(typeDestroy, flagRequest|flagAck, payload)
	if err != nil {
		return err
	}
	return c.acknowledged(ctx, seq)
}

// acknowledged reads the answer to request seq.
func (c *Conn) acknowledged(ctx context.Context, seq uint32) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := c.link.recv(c.buf)
		if err != nil {
			return err
		}
		d := datagram{rest: c.buf[:n]}
		for d.next() {
			if d.seq == seq && (d.typ == typeError || d.typ == typeDone) {
				return destroyed(d.status())
			}
		}
		if d.err != nil {
			return d.err
		}
	}
}

// destroyed explains the kernel's refusals (sock_diag_destroy, tcp_abort).
func destroyed(err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return ErrNotFound
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL):
		// EINVAL: sock_diag does not know the message at all (before Linux 4.5).
		return fmt.Errorf("the kernel was built without CONFIG_INET_DIAG_DESTROY: %w", errors.ErrUnsupported)
	}
	return err
}
