//go:build linux && !386

package closewaittest

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"github.com/closewait/closewait/tcp"
)

// Numbers that package syscall does not have (include/uapi/asm-generic/socket.h,
// the same on every architecture that Go knows but sparc64).
const (
	soMeminfo     = 55 // Linux 4.12
	soCookie      = 57 // Linux 4.12
	protocolMPTCP = 262
)

func unsupported() string { return "" }

// sockets lists the TCP sockets of this process. Descriptors come and go
// meanwhile: what is not the same socket before and after it was asked is left
// out, for it has just been opened or closed.
func sockets() ([]Socket, error) {
	folder, err := os.Open("/proc/self/fd")
	if err != nil {
		return nil, fmt.Errorf("can not list this process's descriptors: %w", err)
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("can not list this process's descriptors: %w", err)
	}
	var all []Socket
	at := map[identity]int{}
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		s, ok := ask(fd)
		if !ok {
			continue
		}
		i, known := at[s.id]
		if !known {
			i = len(all)
			at[s.id] = i
			all = append(all, s)
		}
		all[i].FDs = append(all[i].FDs, fd)
	}
	for i := range all {
		slices.Sort(all[i].FDs)
	}
	slices.SortFunc(all, func(a, b Socket) int { return a.FDs[0] - b.FDs[0] })
	return all, nil
}

// ask looks at one descriptor; ok is false if it is no TCP socket, or not the
// same one all the time.
func ask(fd int) (s Socket, ok bool) {
	inode, ok := socketInode(fd)
	if !ok || !isTCP(fd) {
		return s, false
	}
	id := identity{cookie(fd), inode}
	var b [infoSize]byte
	n, err := getsockopt(fd, syscall.IPPROTO_TCP, syscall.TCP_INFO, b[:])
	if err != nil {
		return s, false
	}
	i := parseInfo(b[:n])
	s = Socket{State: i.state, dead: i.dead(), id: id}
	s.AtLeast, s.AtMost = i.age()
	s.Local = address(syscall.Getsockname(fd))
	s.Remote = address(syscall.Getpeername(fd)) // ENOTCONN once it is dead
	s.RecvQ = unread(fd, i.state)
	after, ok := socketInode(fd)
	return s, ok && after == inode && cookie(fd) == id.cookie
}

// socketInode reads the N of "socket:[N]". It can not block, which stat can.
func socketInode(fd int) (uint64, bool) {
	link, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return 0, false
	}
	number, ok := strings.CutPrefix(link, "socket:[")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64)
	return inode, err == nil
}

func isTCP(fd int) bool {
	kind, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	if err != nil || kind != syscall.SOCK_STREAM {
		return false
	}
	protocol, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_PROTOCOL)
	return err == nil && (protocol == syscall.IPPROTO_TCP || protocol == protocolMPTCP)
}

// cookie is 0 on a kernel that has none.
func cookie(fd int) uint64 {
	var b [8]byte
	if n, err := getsockopt(fd, syscall.SOL_SOCKET, soCookie, b[:]); err != nil || n != len(b) {
		return 0
	}
	return binary.NativeEndian.Uint64(b[:])
}

// unread counts the bytes not read, with the FIN. SIOCINQ leaves the FIN out once it
// came (tcp_inq in net/ipv4/tcp.c); whether it waits in the queue shows by the
// memory that the queue takes.
func unread(fd int, state tcp.State) int {
	n, err := inputQueue(fd)
	if err != nil || state != tcp.CloseWait {
		return n
	}
	if n > 0 {
		return n + 1
	}
	var b [4]byte // SK_MEMINFO_RMEM_ALLOC is the first of its numbers
	if m, err := getsockopt(fd, syscall.SOL_SOCKET, soMeminfo, b[:]); err == nil && m == len(b) && binary.NativeEndian.Uint32(b[:]) > 0 {
		return 1
	}
	return 0
}

func inputQueue(fd int) (int, error) {
	var n int32
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TIOCINQ, uintptr(unsafe.Pointer(&n))); errno != 0 {
		return 0, errno
	}
	return int(max(n, 0)), nil
}

// getsockopt fills b, and returns how much of it the kernel filled.
func getsockopt(fd, level, option int, b []byte) (int, error) {
	n := uint32(len(b))
	_, _, errno := syscall.Syscall6(syscall.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option),
		uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(unsafe.Pointer(&n)), 0)
	if errno != 0 {
		return 0, errno
	}
	return min(int(n), len(b)), nil
}

func address(sa syscall.Sockaddr, err error) netip.AddrPort {
	if err != nil {
		return netip.AddrPort{}
	}
	var addr netip.Addr
	var port int
	switch a := sa.(type) {
	case *syscall.SockaddrInet4:
		addr, port = netip.AddrFrom4(a.Addr), a.Port
	case *syscall.SockaddrInet6:
		addr, port = netip.AddrFrom16(a.Addr).Unmap(), a.Port
		if a.ZoneId != 0 {
			if link, err := net.InterfaceByIndex(int(a.ZoneId)); err == nil {
				addr = addr.WithZone(link.Name)
			}
		}
	}
	return netip.AddrPortFrom(addr, uint16(port))
}
