package misbehave

import (
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// churnLeaves is how many children a churning program has at most.
const churnLeaves = 6

// churn starts a loop that opens a connection to itself, half-closes it, lets a
// child inherit one end that execs and exits, and closes. Every look at it sees
// something else.
func (p *puppet) churn(o order) error {
	ip := o.Addr.Addr()
	if _, err := p.listen(order{Addr: netip.AddrPortFrom(ip, 0), Backlog: stepBatch}); err != nil {
		return err
	}
	if err := p.whirl(o.Title, nil); err != nil { // the first one tells whether it can work
		return err
	}
	go func() {
		places := make(chan struct{}, churnLeaves)
		for p.whirl(o.Title, places) == nil {
			continue
		}
	}()
	return nil
}

func (p *puppet) whirl(title string, places chan struct{}) error {
	deadline := time.Now().Add(5 * time.Second)
	s := &sock{}
	var err error
	if s.fd, err = p.socket(p.listener.local.Addr()); err != nil {
		return err
	}
	defer s.close()
	if err := dial(s, order{Addr: p.listener.local}, deadline); err != nil {
		return fmt.Errorf("connect to %v: %w", p.listener.local, err)
	}
	taken, err := p.acceptOne(deadline)
	if err != nil {
		return err
	}
	defer taken.close()
	if err := unix.Shutdown(taken.fd, unix.SHUT_WR); err != nil {
		return err
	}
	return p.leaf(title, s, places)
}

// leaf starts a child that inherits the CLOSE_WAIT end.
func (p *puppet) leaf(title string, s *sock, places chan struct{}) error {
	if places != nil {
		places <- struct{}{}
	}
	files := []uintptr{0, 1, 2, leashFD, uintptr(s.fd)}
	pid, err := syscall.ForkExec(ownPath(), []string{title, "1"}, &syscall.ProcAttr{Env: environ(roleLeaf), Files: files})
	if err != nil {
		return fmt.Errorf("start a leaf: %w", err)
	}
	go func() {
		_, _ = syscall.Wait4(pid, nil, 0, nil)
		if places != nil {
			<-places
		}
	}()
	return nil
}
