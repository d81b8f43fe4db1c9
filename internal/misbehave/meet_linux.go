package misbehave

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// socket makes a TCP socket with the actor's settings. It does not block: the
// steps poll, with a deadline.
func (p *puppet) socket(ip netip.Addr) (int, error) {
	family, protocol := unix.AF_INET6, unix.IPPROTO_TCP
	if ip.Is4() {
		family = unix.AF_INET
	}
	if p.set.MPTCP {
		protocol = unix.IPPROTO_MPTCP
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return -1, fmt.Errorf("make a socket: %w", err)
	}
	if err := p.dress(fd); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// dress applies the settings to one socket.
func (p *puppet) dress(fd int) error {
	var first error
	set := func(level, option, value int, wanted bool) {
		if !wanted || first != nil {
			return
		}
		if err := unix.SetsockoptInt(fd, level, option, value); err != nil {
			first = fmt.Errorf("set socket option %d of level %d to %d: %w", option, level, value, err)
		}
	}
	keep := p.set.KeepAlive
	set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1, keep)
	set(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(p.set.KeepIdle/time.Second), keep && p.set.KeepIdle > 0)
	set(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(p.set.KeepIntvl/time.Second), keep && p.set.KeepIntvl > 0)
	set(unix.IPPROTO_TCP, unix.TCP_KEEPCNT, p.set.KeepCnt, keep && p.set.KeepCnt > 0)
	set(unix.IPPROTO_TCP, unix.TCP_LINGER2, int(p.set.Linger2/time.Second), p.set.Linger2 > 0)
	set(unix.SOL_SOCKET, unix.SO_RCVBUF, p.set.Buffer, p.set.Buffer > 0)
	set(unix.SOL_SOCKET, unix.SO_SNDBUF, p.set.Buffer, p.set.Buffer > 0)
	return first
}

// onlyBind as a backlog takes the port and refuses who connects to it.
const onlyBind = -1

// listen answers with the address, and as N how long the kernel lets the queue be.
func (p *puppet) listen(o order) (answer, error) {
	fd, err := p.socket(o.Addr.Addr())
	if err != nil {
		return answer{}, err
	}
	p.listener = &sock{fd: fd, mptcp: p.set.MPTCP}
	for _, option := range []int{unix.SO_REUSEADDR, unix.SO_REUSEPORT} {
		if option == unix.SO_REUSEPORT && !o.Share {
			continue
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, 1); err != nil {
			return answer{}, err
		}
	}
	if err := unix.Bind(fd, sockaddr(o.Addr)); err != nil {
		return answer{}, fmt.Errorf("bind to %v: %w", o.Addr, err)
	}
	if o.Backlog == onlyBind {
		return p.describeListener()
	}
	if err := unix.Listen(fd, o.Backlog); err != nil {
		return answer{}, fmt.Errorf("listen at %v: %w", o.Addr, err)
	}
	return p.describeListener()
}

// borrow adopts the listener that came with the order.
func (p *puppet) borrow() (answer, error) {
	fds := p.ctl.take()
	if len(fds) != 1 {
		return answer{}, fmt.Errorf("%d descriptors came, not one listener", len(fds))
	}
	p.listener = &sock{fd: fds[0], mptcp: p.set.MPTCP}
	return p.describeListener()
}

func (p *puppet) describeListener() (answer, error) {
	s := p.listener
	var err error
	if s.local, err = localName(s.fd); err != nil {
		return answer{}, err
	}
	r := row{FD: s.fd, Local: s.local, State: listening, MPTCP: s.mptcp}
	if err := identify(s.fd, &r); err != nil {
		return answer{}, err
	}
	a := answer{Socks: []row{r}}
	// On a listener tcpi_sacked is the queue's limit, tcpi_unacked its length
	// (tcp_get_info in net/ipv4/tcp.c).
	if info, err := unix.GetsockoptTCPInfo(s.fd, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
		a.N = int(info.Sacked)
	}
	return a, nil
}

// queued is how many connections wait to be accepted.
func (p *puppet) queued() (int, error) {
	info, err := unix.GetsockoptTCPInfo(p.listener.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0, err
	}
	return int(info.Unacked), nil
}

// open makes sockets and leaves them alone.
func (p *puppet) open(o order) error {
	for i := o.From; i < o.To; i++ {
		fd, err := p.socket(o.Addr.Addr())
		if err != nil {
			return err
		}
		p.keep(o.Leg, i, &sock{fd: fd, mptcp: p.set.MPTCP})
	}
	return nil
}

func (p *puppet) keep(leg string, i int, s *sock) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.legs[leg] == nil {
		p.legs[leg] = map[int]*sock{}
	}
	p.legs[leg][i] = s
}

// connect opens the order's connections to its address, one after the other.
// With Bytes 1 the connects must be refused, and the sockets stay; with Bytes 2
// nobody asks how they ended.
func (p *puppet) connect(o order, deadline time.Time) ([]row, error) {
	rows := make([]row, 0, o.To-o.From)
	for i := o.From; i < o.To; i++ {
		s, err := p.dial(o, deadline)
		if err != nil {
			return nil, fmt.Errorf("connect %d to %v: %w", i, o.Addr, err)
		}
		p.keep(o.Leg, i, s)
		rows = append(rows, row{Index: i, FD: s.fd, Local: s.local, Remote: s.remote})
	}
	return rows, nil
}

// How a connect is to end.
const (
	toBeAccepted = iota
	toBeRefused
	toBeRefusedUnasked
)

func (p *puppet) dial(o order, deadline time.Time) (*sock, error) {
	fd, err := p.socket(o.Addr.Addr())
	if err != nil {
		return nil, err
	}
	s := &sock{fd: fd, mptcp: p.set.MPTCP}
	if err := dial(s, o, deadline); err != nil {
		_ = s.close()
		return nil, err
	}
	return s, nil
}

func dial(s *sock, o order, deadline time.Time) (err error) {
	if o.Source.IsValid() {
		_ = unix.SetsockoptInt(s.fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err := unix.Bind(s.fd, sockaddr(netip.AddrPortFrom(o.Source, 0))); err != nil {
			return err
		}
	}
	to := sockaddr(o.Addr)
	err = unix.Connect(s.fd, to)
	if errors.Is(err, unix.EINPROGRESS) || errors.Is(err, unix.EINTR) {
		if err := waitFor(s.fd, unix.POLLOUT, deadline); err != nil {
			return err
		}
		if o.Bytes == toBeRefusedUnasked {
			return nil
		}
		// The second call tells how the first ended.
		err = unix.Connect(s.fd, to)
		if errors.Is(err, unix.EISCONN) {
			err = nil
		}
	}
	if o.Bytes == toBeRefused {
		if !errors.Is(err, unix.ECONNREFUSED) {
			return fmt.Errorf("not refused but %w", err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	s.remote = o.Addr
	if s.local, err = localName(s.fd); err != nil {
		return err
	}
	return s.learnToken()
}

// accept takes the connections from the order's peers, in whatever order they
// come, and gives each its peer's index.
func (p *puppet) accept(o order, deadline time.Time) ([]row, error) {
	wanted := make(map[netip.AddrPort]int, len(o.Peers))
	for n, peer := range o.Peers {
		wanted[plain(peer)] = o.From + n
	}
	rows := make([]row, 0, len(wanted))
	for len(wanted) > 0 {
		s, err := p.acceptOne(deadline)
		if err != nil {
			return nil, fmt.Errorf("accept at %v: %w", p.listener.local, err)
		}
		i, ok := wanted[plain(s.remote)]
		if !ok { // a stranger's: it is none of the program's business
			_ = s.close()
			continue
		}
		delete(wanted, plain(s.remote))
		p.keep(o.Leg, i, s)
		rows = append(rows, row{Index: i, FD: s.fd, Local: s.local, Remote: s.remote})
	}
	return rows, nil
}

func (p *puppet) acceptOne(deadline time.Time) (*sock, error) {
	s := &sock{mptcp: p.set.MPTCP}
	err := again(p.listener.fd, unix.POLLIN, deadline, func() (err error) {
		var from unix.Sockaddr
		s.fd, from, err = unix.Accept4(p.listener.fd, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		if err == nil {
			s.remote = addrPort(from)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if s.local, err = localName(s.fd); err == nil {
		err = errors.Join(p.dress(s.fd), s.learnToken())
	}
	if err != nil {
		_ = s.close()
		return nil, err
	}
	return s, nil
}

// acceptAny serves whoever waits: it accepts and closes. It answers how many there
// were.
func (p *puppet) acceptAny() (int, error) {
	for n := 0; ; n++ {
		fd, _, err := unix.Accept4(p.listener.fd, unix.SOCK_CLOEXEC)
		switch err {
		case nil:
			_ = unix.Close(fd)
		case unix.EINTR:
			n--
		case unix.EAGAIN:
			return n, nil
		default:
			return n, err
		}
	}
}

func localName(fd int) (netip.AddrPort, error) {
	name, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("ask for the local address: %w", err)
	}
	return addrPort(name), nil
}

func sockaddr(ap netip.AddrPort) unix.Sockaddr {
	if ap.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(ap.Port()), Addr: ap.Addr().As16()}
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

func plain(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
