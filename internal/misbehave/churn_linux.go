package misbehave

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// churnLeaves is how many children a churning program has at most.
const churnLeaves = 6

// churn starts a loop that opens a connection to itself, half-closes it, lets a
// child inherit one end that execs and exits, and closes. Every look at it sees
// something else.
func (p *puppet) churn(o order) error {
	if _, err := p.listen(order{Addr: o.Addr, Backlog: churnLeaves}); err != nil {
		return err
	}
	w := &whirl{puppet: p, title: o.Title, places: make(chan struct{}, churnLeaves)}
	if err := w.turn(); err != nil { // the first one tells whether it can work
		return err
	}
	p.churning.Go(func() {
		for w.turn() == nil {
			continue
		}
	})
	return nil
}

// whirl is the loop of a churning program.
type whirl struct {
	puppet *puppet
	title  string
	places chan struct{} // one for each living child
}

func (w *whirl) turn() error {
	p, deadline := w.puppet, time.Now().Add(5*time.Second)
	at := p.listener.local
	client := &sock{}
	var err error
	if client.fd, err = p.socket(at.Addr()); err != nil {
		return err
	}
	defer client.close()
	if err := dial(client, order{Addr: at}, deadline); err != nil {
		return fmt.Errorf("connect to %v: %w", at, err)
	}
	server, err := p.acceptOne(deadline)
	if err != nil {
		return fmt.Errorf("accept at %v: %w", at, err)
	}
	defer server.close()
	if err := unix.Shutdown(server.fd, unix.SHUT_WR); err != nil {
		return err
	}
	return w.leaf(client)
}

// leaf starts a child that inherits the CLOSE_WAIT end, execs once and exits.
func (w *whirl) leaf(s *sock) error {
	w.places <- struct{}{}
	files := []uintptr{0, 1, 2, leashFD, uintptr(s.fd)}
	_, err := w.puppet.brood.fork(roleLeaf, []string{w.title, "1"}, files, func() { <-w.places })
	if err != nil {
		return fmt.Errorf("start a leaf: %w", err)
	}
	return nil
}
