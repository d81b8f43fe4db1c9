package misbehave

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/tcp"
)

// diag asks the kernel about one socket at a time, by its addresses. It is our
// own small reader and not the tool's: what must be found is not to be learned
// from what is to find it.
type diag struct{ fd int }

// Sizes from linux/netlink.h and linux/inet_diag.h.
const (
	headerSize  = 16 // struct nlmsghdr
	requestSize = 56 // struct inet_diag_req_v2
	messageSize = 72 // struct inet_diag_msg
	byFamily    = 20 // SOCK_DIAG_BY_FAMILY
	reqProtocol = 3  // INET_DIAG_REQ_PROTOCOL
)

func openDiag() (*diag, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open sock_diag: %w", err)
	}
	tv := unix.Timeval{Sec: 5}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("open sock_diag: %w", err)
	}
	return &diag{fd: fd}, nil
}

// get returns the row of a connection; row.Gone when the kernel has none.
func (d *diag) get(local, remote netip.AddrPort) (row, error) {
	return d.ask(request(local, remote), local, remote)
}

// getMPTCP returns the row of a Multipath TCP connection, which the kernel finds by
// its token alone (mptcp_diag_dump_one in net/mptcp/mptcp_diag.c).
func (d *diag) getMPTCP(token uint32, local, remote netip.AddrPort) (row, error) {
	ask := request(local, remote)
	order := binary.NativeEndian
	order.PutUint32(ask[headerSize+48:], token)
	// The protocol's number does not fit the request's byte: an attribute has it.
	ask = order.AppendUint16(ask, 8)
	ask = order.AppendUint16(ask, reqProtocol)
	ask = order.AppendUint32(ask, unix.IPPROTO_MPTCP)
	order.PutUint32(ask, uint32(len(ask)))
	r, err := d.ask(ask, local, remote)
	r.MPTCP = true
	return r, err
}

func request(local, remote netip.AddrPort) []byte {
	ask := make([]byte, headerSize+requestSize)
	order := binary.NativeEndian
	order.PutUint32(ask[0:], uint32(len(ask)))
	order.PutUint16(ask[4:], byFamily)
	order.PutUint16(ask[6:], unix.NLM_F_REQUEST)
	body := ask[headerSize:]
	body[0] = unix.AF_INET6
	if local.Addr().Is4() {
		body[0] = unix.AF_INET
	}
	body[1] = unix.IPPROTO_TCP
	order.PutUint32(body[4:], ^uint32(0)) // idiag_states
	putAddress(body[8:], body[12:], local)
	putAddress(body[10:], body[28:], remote)
	order.PutUint64(body[48:], ^uint64(0)) // INET_DIAG_NOCOOKIE
	return ask
}

func (d *diag) ask(request []byte, local, remote netip.AddrPort) (row, error) {
	if err := d.write(request); err != nil {
		return row{}, fmt.Errorf("ask sock_diag: %w", err)
	}
	return d.read(local, remote)
}

func putAddress(port, addr []byte, ap netip.AddrPort) {
	binary.BigEndian.PutUint16(port, ap.Port())
	copy(addr, ap.Addr().AsSlice())
}

func (d *diag) write(request []byte) error {
	for {
		_, err := unix.Write(d.fd, request)
		if err != unix.EINTR {
			return err
		}
	}
}

func (d *diag) read(local, remote netip.AddrPort) (row, error) {
	buf := make([]byte, 8192)
	for {
		n, err := unix.Read(d.fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return row{}, fmt.Errorf("hear from sock_diag: %w", err)
		}
		return parseAnswer(buf[:n], local, remote)
	}
}

// parseAnswer reads the one message that answers get.
func parseAnswer(b []byte, local, remote netip.AddrPort) (row, error) {
	order := binary.NativeEndian
	if len(b) < headerSize+4 {
		return row{}, fmt.Errorf("sock_diag's answer has %d bytes", len(b))
	}
	body := b[headerSize:]
	if order.Uint16(b[4:]) == unix.NLMSG_ERROR {
		errno := unix.Errno(-int32(order.Uint32(body)))
		if errors.Is(errno, unix.ENOENT) {
			return row{Gone: true}, nil
		}
		return row{}, fmt.Errorf("sock_diag on %v → %v: %w", local, remote, errno)
	}
	if len(body) < messageSize {
		return row{}, fmt.Errorf("sock_diag's row has %d bytes", len(body))
	}
	r := row{
		FD:     -1,
		State:  tcp.State(body[1]),
		Timer:  body[2],
		Local:  address(body[0], body[4:], body[8:]),
		Remote: address(body[0], body[6:], body[24:]),
		Cookie: uint64(order.Uint32(body[44:])) | uint64(order.Uint32(body[48:]))<<32,
		RecvQ:  order.Uint32(body[56:]),
		SendQ:  order.Uint32(body[60:]),
		Inode:  uint64(order.Uint32(body[68:])),
	}
	// When there is no such connection the kernel may answer with the listener.
	if r.Local != local || r.Remote != remote || r.State == tcp.Listen {
		return row{Gone: true}, nil
	}
	return r, nil
}

func address(family byte, port, addr []byte) netip.AddrPort {
	size := 16
	if family == unix.AF_INET {
		size = 4
	}
	a, _ := netip.AddrFromSlice(addr[:size])
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(port))
}
