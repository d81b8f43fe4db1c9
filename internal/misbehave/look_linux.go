package misbehave

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/tcp"
)

// pollEvery is how often a condition that has no descriptor to wait on is tried.
const pollEvery = time.Millisecond

// goneAfter is for how many looks in a row a socket must be missing before it
// counts as dropped by the kernel: between an orphan and its mini-socket a lookup
// may miss both.
const goneAfter = 5

const listening = tcp.Listen

// expect waits until the kernel says the truth of every socket of the order.
func (p *puppet) expect(o order, deadline time.Time) ([]row, error) {
	done := make([]row, 0, o.To-o.From)
	pending := make([]int, 0, o.To-o.From)
	for i := o.From; i < o.To; i++ {
		pending = append(pending, i)
	}
	missing := map[int]int{}
	for {
		var last row
		left := pending[:0]
		for _, i := range pending {
			r, err := p.look(o, i)
			if err != nil {
				return nil, err
			}
			if r.Gone {
				missing[i]++
			}
			if o.Truth.met(&r) || o.Truth.MayBeGone && missing[i] >= goneAfter {
				done = append(done, r)
				continue
			}
			last = r
			left = append(left, i)
		}
		if pending = left; len(pending) == 0 {
			return done, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%d of %s's sockets are not as expected (%v): one is %v", len(pending), o.Leg, o.Truth, &last)
		}
		time.Sleep(pollEvery)
	}
}

// look asks the kernel about one socket: by its addresses, which also finds what
// has no descriptor, and through the descriptor if there is one. In an order with
// Peers the sockets are those between the listener and them, which nobody has
// accepted.
func (p *puppet) look(o order, i int) (row, error) {
	s := &sock{fd: -1}
	if len(o.Peers) > 0 {
		s.local = p.listener.local
		s.remote = asSeenFrom(s.local, o.Peers[i-o.From])
	} else {
		p.mu.Lock()
		s = p.legs[o.Leg][i]
		p.mu.Unlock()
	}
	if s == nil {
		return row{}, fmt.Errorf("expect %s %d: no such socket", o.Leg, i)
	}
	r, err := p.see(s)
	r.Index, r.FD = i, s.fd
	r.Local, r.Remote = s.local, s.remote
	return r, err
}

// asSeenFrom is a peer's address as a socket at local has it: a dual-stack one
// sees IPv4 as ::ffff:a.b.c.d.
func asSeenFrom(local, peer netip.AddrPort) netip.AddrPort {
	if local.Addr().Is4() {
		return plain(peer)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(peer.Addr().As16()), peer.Port())
}

func (p *puppet) see(s *sock) (row, error) {
	r := row{Gone: true}
	var err error
	switch {
	case s.mptcp && s.remote.IsValid():
		r, err = p.diag.getMPTCP(s.token, s.local, s.remote)
	case s.remote.IsValid():
		r, err = p.diag.get(s.local, s.remote)
	}
	if err != nil {
		return r, err
	}
	if s.mptcp && s.fd >= 0 {
		// Its TCP_INFO is the first subflow's, which stays ESTABLISHED after a DATA_FIN.
		return r, identify(s.fd, &r)
	}
	if s.fd < 0 {
		return r, nil
	}
	info, err := unix.GetsockoptTCPInfo(s.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return r, fmt.Errorf("TCP_INFO of descriptor %d: %w", s.fd, err)
	}
	if r.Gone && tcp.State(info.State) == tcp.Closed {
		r = row{State: tcp.Closed}
	}
	if r.State != tcp.State(info.State) { // it changed between the two questions
		r.Gone = true
		return r, nil
	}
	return r, identify(s.fd, &r)
}

// identify adds what only the descriptor tells of every socket.
func identify(fd int, r *row) error {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return fmt.Errorf("fstat of descriptor %d: %w", fd, err)
	}
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return fmt.Errorf("SO_COOKIE of descriptor %d: %w", fd, err)
	}
	r.Inode, r.Cookie = stat.Ino, cookie
	return nil
}
