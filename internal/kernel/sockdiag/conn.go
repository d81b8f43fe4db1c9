//go:build linux

package sockdiag

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Conn is a netlink socket that asks one network namespace.
type Conn struct {
	link link
	buf  []byte
	// left is the sequence number of a dump that was not read to its end, 0 for
	// none. The kernel takes no other request before that end is read.
	left uint32
}

// link is the message boundary: requests go out whole, answers come in as
// datagrams of one or more messages.
type link interface {
	// send sends one request and returns its sequence number, never 0.
	send(typ, flags uint16, payload []byte) (seq uint32, err error)
	// recv reads one datagram.
	recv(buf []byte) (n int, err error)
	// wake makes the running or next recv fail with os.ErrDeadlineExceeded until
	// wake is called with false.
	wake(on bool)
	close() error
}

// bufferSize is more than any datagram of a dump: the kernel fills up to 32 KiB
// when the reader offers that much (net/netlink/af_netlink.c, netlink_dump).
const bufferSize = 64 << 10

// Dial opens a Conn in the network namespace that the descriptor netns refers
// to, or, when it is 0 or negative, in that of the calling thread.
func Dial(netns int) (*Conn, error) {
	l, err := dialNetlink(max(netns, 0))
	if err != nil {
		return nil, &Error{Op: "dial", Err: err}
	}
	return &Conn{link: l, buf: make([]byte, bufferSize)}, nil
}

// Close closes the connection.
func (c *Conn) Close() error {
	if err := c.link.close(); err != nil {
		return &Error{Op: "close", Err: err}
	}
	return nil
}

// watch makes a blocked recv fail once ctx is done. The returned function ends
// the watch, and says why ctx ended if that is why err came about.
func (c *Conn) watch(ctx context.Context) func(err error) error {
	if ctx.Done() == nil {
		return func(err error) error { return err }
	}
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		c.link.wake(true)
		close(woken)
	})
	return func(err error) error {
		if !stop() {
			<-woken
			c.link.wake(false)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
}

// drain reads what an abandoned dump still has to say.
func (c *Conn) drain(ctx context.Context) error {
	for c.left != 0 {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		n, err := c.link.recv(c.buf)
		switch {
		case errors.Is(err, unix.ENOBUFS):
			continue
		case err != nil:
			return fmt.Errorf("finish the dump before: %w", err)
		}
		d := datagram{rest: c.buf[:n]}
		for d.next() {
			if d.seq == c.left && (d.typ == typeDone || d.typ == typeError) {
				c.left = 0
			}
		}
	}
	return nil
}

// socket is a link to the kernel. It takes the connection (its namespace, its
// sequence and port numbers) from package netlink, but reads by itself: that
// package's Receive allocates every message, and drops both NLM_F_DUMP_INTR and
// the error inside NLMSG_DONE.
type socket struct {
	conn *netlink.Conn
	raw  syscall.RawConn
	// read is a method value made once: one per recv would be garbage.
	read func(fd uintptr) bool
	buf  []byte
	n    int
	err  error
}

func dialNetlink(netns int) (*socket, error) {
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, &netlink.Config{NetNS: netns})
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	s := &socket{conn: conn, raw: raw}
	s.read = s.readOnce
	return s, nil
}

func (s *socket) send(typ, flags uint16, payload []byte) (uint32, error) {
	m, err := s.conn.Send(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(typ), Flags: netlink.HeaderFlags(flags)},
		Data:   payload,
	})
	return m.Header.Sequence, err
}

func (s *socket) recv(buf []byte) (int, error) {
	s.buf = buf
	defer func() { s.buf = nil }()
	if err := s.raw.Read(s.read); err != nil {
		return 0, err
	}
	return s.n, s.err
}

// readOnce reports false when there is nothing to read yet.
func (s *socket) readOnce(fd uintptr) bool {
	for {
		s.n, s.err = unix.Read(int(fd), s.buf) // recvfrom would allocate an address
		switch {
		case s.err == unix.EINTR:
			continue
		case s.err == unix.EAGAIN:
			return false
		case s.err == nil && s.n == len(s.buf):
			s.n, s.err = 0, errTruncated // full: it may have been longer
		}
		return true
	}
}

func (s *socket) wake(on bool) {
	at := time.Time{}
	if on {
		at = time.Unix(1, 0)
	}
	_ = s.conn.SetReadDeadline(at) // can fail only on a closed socket, whose reads fail too
}

func (s *socket) close() error { return s.conn.Close() }
