//go:build linux

package sockdiag

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/tcp"
)

// Get looks one TCP socket up, with Info, without a dump. Cookie 0 in id means
// whichever socket has the addresses. The error is ErrNotFound when there is
// none: the kernel would otherwise answer with the listener that a packet
// between these addresses would reach.
func (c *Conn) Get(ctx context.Context, id ID) (Row, error) {
	ended := c.watch(ctx)
	row, err := c.get(ctx, id)
	if err = ended(err); err != nil {
		return Row{}, &Error{Op: "get", Err: err}
	}
	return row, nil
}

func (c *Conn) get(ctx context.Context, id ID) (row Row, err error) {
	if !id.Local.IsValid() || !id.Remote.IsValid() || id.Local.Addr().Is4() != id.Remote.Addr().Is4() {
		return row, fmt.Errorf("%v → %v names no connection: give two addresses of one family", id.Local, id.Remote)
	}
	if err := c.drain(ctx); err != nil {
		return row, err
	}
	q := Query{Info: true}
	family, want := IPv4, id
	if id.Local.Addr().Is6() {
		family = IPv6
	}
	if want.Cookie == 0 {
		want.Cookie = noCookie
	}
	payload := appendRequestV2(nil, family, TCP, q.extensions(), AllStates, want)
	seq, err := c.link.send(typeByFamily, flagRequest, payload)
	if err != nil {
		return row, err
	}
	if err := c.answer(ctx, seq, &row); err != nil {
		return row, err
	}
	flow := tcp.Flow{Local: id.Local, Remote: id.Remote}.Unmapped()
	if got := (tcp.Flow{Local: row.Local, Remote: row.Remote}); got.Unmapped() != flow {
		return row, ErrNotFound
	}
	return row, nil
}

// answer reads the one message that answers request seq.
func (c *Conn) answer(ctx context.Context, seq uint32, row *Row) error {
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
			switch {
			case d.seq != seq:
				continue
			case d.typ == typeByFamily:
				return parseRow(d.payload, row, TCP)
			case d.typ != typeError && d.typ != typeDone:
				continue
			}
			err := d.status()
			if errors.Is(err, unix.ENOENT) || err == nil {
				return ErrNotFound
			}
			return err
		}
		if d.err != nil {
			return d.err
		}
	}
}
