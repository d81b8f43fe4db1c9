package misbehave

import (
	"encoding/json"
	"io"

	"golang.org/x/sys/unix"
)

// control is one end of the unix socket between Start's process and an actor.
// Both sides speak JSON lines; descriptors may travel along (SCM_RIGHTS).
type control struct {
	fd      int
	decoder *json.Decoder
	arrived []int // descriptors received and not yet taken
}

func newControl(fd int) *control {
	c := &control{fd: fd}
	c.decoder = json.NewDecoder(c)
	return c
}

// Read makes control an io.Reader for the decoder, and keeps descriptors.
func (c *control) Read(p []byte) (int, error) {
	rights := make([]byte, unix.CmsgSpace(4*8))
	for {
		n, oobn, _, _, err := unix.Recvmsg(c.fd, p, rights, unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, err
		}
		c.keep(rights[:oobn])
		if n == 0 {
			return 0, io.EOF
		}
		return n, nil
	}
}

func (c *control) keep(rights []byte) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return
	}
	for i := range messages {
		if fds, err := unix.ParseUnixRights(&messages[i]); err == nil {
			c.arrived = append(c.arrived, fds...)
		}
	}
}

// take returns the descriptors that came with what was received so far.
func (c *control) take() []int {
	fds := c.arrived
	c.arrived = nil
	return fds
}

func (c *control) receive(v any) error { return c.decoder.Decode(v) }

// send writes v as one line; the descriptors ride on its first byte.
func (c *control) send(v any, fds ...int) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	for len(line) > 0 {
		n, err := unix.SendmsgN(c.fd, line, rights, nil, unix.MSG_NOSIGNAL)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		line, rights = line[n:], nil
	}
	return nil
}

// patience bounds every later receive and send, in seconds.
func (c *control) patience(seconds int64) {
	tv := unix.Timeval{Sec: seconds}
	_ = unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
	_ = unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv)
}

func (c *control) close() { _ = unix.Close(c.fd) }
