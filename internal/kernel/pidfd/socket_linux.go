package pidfd

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Socket is what the kernel says of a TCP socket.
type Socket struct {
	// Protocol is unix.IPPROTO_TCP, or unix.IPPROTO_MPTCP for a multipath one,
	// whose Info is its first subflow's; empty if it has no connection yet, and its
	// own if it has Ended.
	Protocol int
	// Ended says of an MPTCP socket that it had a connection, which is gone. It is
	// false too for one that ended in order, which a dump still lists, and before
	// Linux 5.16 unless it had gone on as plain TCP.
	Ended bool
	// Untold says of an MPTCP socket without a connection that the kernel does not
	// tell whether it had one.
	Untold bool
	// Inode is the N of "socket:[N]", and UID its owner.
	Inode uint64
	UID   uint32
	// Cookie is the kernel's name for the socket, never used twice in a boot.
	Cookie uint64
	// NetNS is the inode number of its network namespace; 0 where the caller
	// lacks CAP_NET_ADMIN there.
	NetNS uint64
	// Local and Remote are as the kernel has them: IPv4-mapped addresses are kept.
	// Remote is unset when the socket is not connected, also when it is no more.
	Local, Remote netip.AddrPort
	// Unread is how many bytes were received and not read, the FIN not counted:
	// they outlive the connection.
	Unread uint32
	Info   Info
}

// Socket looks at a TCP socket. The error is ErrNotSocket, ErrNotTCP,
// ErrClosed, ErrGone, ErrUnsupported or a *PermissionError; the last two hold
// for every other descriptor of the process too.
func (h *Handle) Socket(fd int) (Socket, error) {
	var a answers
	if err := h.ask(fd, &a); err != nil {
		return Socket{}, h.fail(fd, err)
	}
	return a.socket(h.netns(&a)), nil
}

// answers are the kernel's, undecoded: a plain value, so that nothing is
// allocated while the copy is open.
type answers struct {
	protocol, domain, unread int32
	cookie, netCookie        uint64
	stat                     unix.Stat_t
	nsfd                     int // -1 where the namespace was not asked for, or not told
	local, remote            unix.RawSockaddrAny
	info                     [infoSize]byte
	infoLen                  int
	multipath                multipathInfo
}

// ask copies the descriptor, asks everything and closes the copy. It does
// nothing else: the owner's close waits for it.
func (h *Handle) ask(fd int, a *answers) error {
	a.nsfd = -1
	s, err := h.copy(fd)
	if err != nil {
		return err
	}
	err = a.fill(s, h.known.cookie)
	_ = unix.Close(s)
	return err
}

// fill asks a socket. Nothing here changes it or its connection. The namespace
// is not asked for again when its cookie is the known one.
func (a *answers) fill(s int, known uint64) error {
	var kind int32
	if err := getInt(s, unix.SO_TYPE, &kind); err != nil {
		return err
	}
	if err := getInt(s, unix.SO_DOMAIN, &a.domain); err != nil {
		return err
	}
	if err := getInt(s, unix.SO_PROTOCOL, &a.protocol); err != nil {
		return err
	}
	if !isTCP(a.domain, kind, a.protocol) {
		return ErrNotTCP
	}
	if err := a.fillInfo(s); err != nil {
		return err
	}
	// What follows may be missing on an older kernel, or for want of a right.
	getCookie(s, unix.SO_COOKIE, &a.cookie)
	getCookie(s, unix.SO_NETNS_COOKIE, &a.netCookie)
	getname(unix.SYS_GETSOCKNAME, s, &a.local)
	getname(unix.SYS_GETPEERNAME, s, &a.remote) // ENOTCONN once it is not connected
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(s), unix.SIOCINQ, uintptr(unsafe.Pointer(&a.unread)))
	if err := unix.Fstat(s, &a.stat); err != nil {
		return err
	}
	if a.netCookie != 0 && a.netCookie == known {
		return nil
	}
	if ns, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s), unix.SIOCGSKNS, 0); errno == 0 {
		a.nsfd = int(ns)
	}
	return nil
}

// fillInfo asks for what the kernel counts. TCP_INFO would give an MPTCP socket
// without a connection its first subflow (mptcp_getsockopt_first_sf_only).
func (a *answers) fillInfo(s int) error {
	if a.protocol == unix.IPPROTO_MPTCP {
		n := uint32(len(a.multipath.raw))
		if errno := getsockopt(s, unix.SOL_MPTCP, mptcpInfo, unsafe.Pointer(&a.multipath.raw), &n); errno == 0 {
			a.multipath.size = int(n)
			if !a.multipath.connected() {
				return nil
			}
		}
	}
	n := uint32(len(a.info))
	if errno := getsockopt(s, unix.IPPROTO_TCP, unix.TCP_INFO, unsafe.Pointer(&a.info), &n); errno != 0 {
		return errno
	}
	a.infoLen = int(n)
	return nil
}

func isTCP(domain, kind, protocol int32) bool {
	inet := domain == unix.AF_INET || domain == unix.AF_INET6
	return inet && kind == unix.SOCK_STREAM && (protocol == unix.IPPROTO_TCP || protocol == unix.IPPROTO_MPTCP)
}

// namespace is a network namespace: the cookie is cheap to ask a socket for
// (Linux 5.14), the inode number costs more than all other questions together.
type namespace struct{ cookie, inode uint64 }

// netns returns the inode number of the socket's namespace, and closes what
// SIOCGSKNS opened.
func (h *Handle) netns(a *answers) uint64 {
	if a.nsfd < 0 {
		if a.netCookie != 0 && a.netCookie == h.known.cookie {
			return h.known.inode
		}
		return 0
	}
	defer func() { _ = unix.Close(a.nsfd) }()
	var st unix.Stat_t
	if err := unix.Fstat(a.nsfd, &st); err != nil {
		return 0
	}
	h.known = namespace{a.netCookie, st.Ino}
	return st.Ino
}

func (a *answers) socket(netns uint64) Socket {
	info, ended, untold := parseInfo(a.info[:a.infoLen]), false, false
	if a.protocol == unix.IPPROTO_MPTCP {
		info, ended, untold = a.multipath.explain(info)
	}
	return Socket{
		Protocol: int(a.protocol),
		Ended:    ended,
		Untold:   untold,
		Inode:    a.stat.Ino,
		UID:      a.stat.Uid,
		Cookie:   a.cookie,
		NetNS:    netns,
		Local:    address(&a.local),
		Remote:   address(&a.remote),
		Unread:   uint32(max(a.unread, 0)),
		Info:     info,
	}
}

func getInt(s, option int, into *int32) error {
	n := uint32(unsafe.Sizeof(*into))
	if errno := getsockopt(s, unix.SOL_SOCKET, option, unsafe.Pointer(into), &n); errno != 0 {
		return errno
	}
	return nil
}

// getCookie leaves 0 on a kernel that does not know the option.
func getCookie(s, option int, into *uint64) {
	n := uint32(unsafe.Sizeof(*into))
	_ = getsockopt(s, unix.SOL_SOCKET, option, unsafe.Pointer(into), &n)
}

func getsockopt(s, level, option int, into unsafe.Pointer, n *uint32) unix.Errno {
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s), uintptr(level), uintptr(option),
		uintptr(into), uintptr(unsafe.Pointer(n)), 0)
	return errno
}

// getname leaves the address family 0 on an error.
func getname(call uintptr, s int, into *unix.RawSockaddrAny) {
	n := uint32(unsafe.Sizeof(*into))
	if _, _, errno := unix.Syscall(call, uintptr(s), uintptr(unsafe.Pointer(into)), uintptr(unsafe.Pointer(&n))); errno != 0 {
		into.Addr.Family = unix.AF_UNSPEC
	}
}
