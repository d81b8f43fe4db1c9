package misbehave

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// sock is one socket of a puppet. It outlives its descriptor, since the kernel's
// part of it does.
type sock struct {
	fd            int // -1 once closed
	local, remote netip.AddrPort
	mptcp         bool
	token         uint32 // the kernel's name for a Multipath TCP connection
	tls           *tls.Conn
}

var errTimeout = errors.New("timed out")

// waitFor waits until fd has one of the events, an error or a hang-up.
func waitFor(fd int, events int16, deadline time.Time) error {
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return errTimeout
		}
		fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
		n, err := unix.Poll(fds, int(left/time.Millisecond)+1)
		if err != nil && err != unix.EINTR {
			return err
		}
		if n > 0 {
			return nil
		}
	}
}

// again calls step until it neither would block nor was interrupted.
func again(fd int, events int16, deadline time.Time, step func() error) error {
	for {
		err := step()
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			if err := waitFor(fd, events, deadline); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

func (s *sock) send(n int, deadline time.Time) error {
	data := make([]byte, n)
	for len(data) > 0 {
		err := again(s.fd, unix.POLLOUT, deadline, func() error {
			sent, err := unix.SendmsgN(s.fd, data, nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
			if err == nil {
				data = data[sent:]
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// recv reads exactly n bytes, which must not be the connection's last.
func (s *sock) recv(n int, deadline time.Time) error {
	for n > 0 {
		got, err := s.read(make([]byte, n), 0, deadline)
		if err != nil {
			return err
		}
		if got == 0 {
			return io.ErrUnexpectedEOF
		}
		n -= got
	}
	return nil
}

// recvOnce reads n bytes by a single call, after which it does not look again.
func (s *sock) recvOnce(n int, deadline time.Time) error {
	got, err := s.read(make([]byte, n), 0, deadline)
	if err == nil && got != n {
		err = fmt.Errorf("one read gave %d bytes, not %d", got, n)
	}
	return err
}

// readAll reads until a read returns zero.
func (s *sock) readAll(deadline time.Time) error {
	buf := make([]byte, 64<<10)
	for {
		got, err := s.read(buf, 0, deadline)
		if err != nil || got == 0 {
			return err
		}
	}
}

// peekEOF sees the zero and leaves it.
func (s *sock) peekEOF(deadline time.Time) error {
	got, err := s.read(make([]byte, 1), unix.MSG_PEEK, deadline)
	if err == nil && got != 0 {
		err = errors.New("data came before the FIN")
	}
	return err
}

func (s *sock) read(buf []byte, flags int, deadline time.Time) (n int, err error) {
	err = again(s.fd, unix.POLLIN|unix.POLLRDHUP, deadline, func() error {
		n, _, err = unix.Recvfrom(s.fd, buf, flags|unix.MSG_DONTWAIT)
		return err
	})
	return n, err
}

// mptcpInfo is MPTCP_INFO of linux/mptcp.h.
const mptcpInfo = 1

// learnToken asks for the connection's token. MPTCP_INFO has it at offset 12
// (linux/mptcp.h), where struct tcp_info has tcpi_ato.
func (s *sock) learnToken() error {
	if !s.mptcp {
		return nil
	}
	info, err := unix.GetsockoptTCPInfo(s.fd, unix.SOL_MPTCP, mptcpInfo)
	if err != nil {
		return fmt.Errorf("MPTCP_INFO: %w", err)
	}
	s.token = info.Ato
	return nil
}

// farewell sends a little and closes. The data waits for the FIN and goes with it:
// on a busy machine one system call may come long after the other.
func (s *sock) farewell(n int) error {
	if _, err := unix.SendmsgN(s.fd, make([]byte, n), nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT|unix.MSG_MORE); err != nil {
		return err
	}
	return s.close()
}

func (s *sock) close() error {
	if s.tls != nil {
		// Writes close_notify, then closes the descriptor; as farewell, in one segment.
		if err := unix.SetsockoptInt(s.fd, unix.IPPROTO_TCP, unix.TCP_CORK, 1); err != nil {
			return err
		}
		conn := s.tls
		s.tls = nil
		return conn.Close()
	}
	if s.fd < 0 {
		return nil
	}
	fd := s.fd
	s.fd = -1
	return unix.Close(fd)
}

// lingerZero makes the next close, whoever's it is, send a RST and forget.
func (s *sock) lingerZero() error {
	return unix.SetsockoptLinger(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// deafen drops every packet that arrives, before TCP sees it (tcp_filter in
// net/ipv4/tcp_ipv4.c): to the other side this host no longer answers. It needs no
// namespace and no firewall, but on recent kernels CAP_NET_ADMIN.
func (s *sock) deafen() error {
	drop := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}
	err := unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(drop)), Filter: &drop[0]})
	if err != nil {
		return fmt.Errorf("drop what arrives (SO_ATTACH_FILTER; run with CAP_NET_ADMIN): %w", err)
	}
	return nil
}

// fly puts the descriptor into a unix socket's queue, where it stays, and closes
// ours: the file lives, and no process has it.
func (p *puppet) fly(s *sock) error {
	// Set now, since nobody can later: when the queue dies the connection shall too.
	if err := s.lingerZero(); err != nil {
		return err
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	p.flights = append(p.flights, ends[:]...)
	if err := unix.Sendmsg(ends[0], []byte{0}, unix.UnixRights(s.fd), nil, 0); err != nil {
		return err
	}
	return s.close()
}

// fill sends on every socket of the order until the receivers' windows and our
// buffers take no more.
func (p *puppet) fill(o order, deadline time.Time) error {
	data := make([]byte, 16<<10)
	for quiet := 0; quiet < 20; quiet++ {
		for i := o.From; i < o.To; i++ {
			n, err := unix.SendmsgN(p.legs[o.Leg][i].fd, data, nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
			if n > 0 {
				quiet = 0
			}
			if err != nil && err != unix.EAGAIN && err != unix.EINTR {
				return fmt.Errorf("fill %d: %w", i, err)
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("fill: the peers take data without end: %w", errTimeout)
		}
		time.Sleep(pollEvery)
	}
	return nil
}
