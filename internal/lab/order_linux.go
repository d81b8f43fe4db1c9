package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/scenario"
)

// order is what a host's application is told to do: a story's call, its times
// already in the kernel's units.
type order struct {
	Op  scenario.Op
	N   int          `json:",omitempty"`
	How scenario.How `json:",omitempty"`
	// Local and Remote are where to bind, and to connect to.
	Local, Remote netip.AddrPort
	// Options are set on the socket, in order.
	Options []sockopt `json:",omitempty"`
}

// beginAgain is the order to close everything, between two stories.
const beginAgain scenario.Op = 0

// finish is the order to do no more than what is left to do of a connect().
const finish scenario.Op = 255

// sockopt is an integer socket option.
type sockopt struct{ Level, Name, Value int }

// answer is what became of an order.
type answer struct {
	N   int    `json:",omitempty"`
	Err string `json:",omitempty"` // an errno's name
	// Held and Listening: the application has a descriptor of a connection, and
	// one of a listener. Cookie is the kernel's name of the connection.
	Held, Listening bool
	// Connecting: something is left to do of a connect() once it is over.
	Connecting bool
	Cookie     uint64
}

// maxMessage bounds an order and an answer.
const maxMessage = 4096

// patience is how long an answer may take: no call blocks, so it is only ever
// a busy machine that takes time.
const patience = 30 * time.Second

// channel is one end of the socket between an engine and an application. Each
// datagram is an order, or its answer.
type channel struct{ fd int }

func (c channel) send(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	for {
		err := unix.Sendto(c.fd, text, unix.MSG_NOSIGNAL, nil)
		if err != unix.EINTR {
			return err
		}
	}
}

var errHungUp = errors.New("the other side hung up")

func (c channel) receive(v any) error {
	buf := make([]byte, maxMessage)
	for {
		n, err := unix.Read(c.fd, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n == 0:
			return errHungUp
		}
		if err := json.Unmarshal(buf[:n], v); err != nil {
			return fmt.Errorf("read a message of %d octets: %w", n, err)
		}
		return nil
	}
}
