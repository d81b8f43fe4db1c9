package sensor

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/closewait/closewait/tcp"
)

// History is what the sensor remembers of one connection. Moments count from
// the system's boot, with the time that it slept (CLOCK_BOOTTIME), in steps of a
// microsecond; 0 is never. Stacks are ids for Sensor.Stack; 0 is none.
type History struct {
	// Opened is when it was connected, or became established if Inbound; not known
	// if Older.
	Opened time.Duration
	// Outbound and Inbound tell who began. Neither: Older, or an MPTCP connection that
	// was not begun here, of which Opened is not known either.
	Outbound, Inbound bool
	// Older connections were there before the sensor was.
	Older bool
	// Read says that data was read, by ReaderStack first.
	Read bool
	// HalfClosed is when the first FIN was: the peer's if FINReceived, else our own.
	HalfClosed           time.Duration
	FINReceived, FINSent bool
	// Unread is how many bytes nobody had read when the FIN came; 65535 is that or more.
	Unread uint16
	// Zero is when a read first returned zero because the peer had finished, and
	// Zeros how many reads have; 65535 is that or more.
	Zero  time.Duration
	Zeros uint16
	// Peeked says that a read with MSG_PEEK returned zero.
	Peeked bool
	// ResetReceived and ResetSent tell of a RST, at any time.
	ResetReceived, ResetSent bool
	// Ended is when and End how a half-closed connection, or one whose descriptor
	// remained, came to its end.
	Ended time.Duration
	End   End
	// Held says that a descriptor remained after the end.
	Held bool
	// OpenerPID called connect, ZeroPID got the first zero; 0 is nobody. A process of
	// that number which started later is another.
	OpenerPID, ZeroPID                  int32
	OpenerStack, ReaderStack, ZeroStack uint32
}

// End is how a connection ended.
type End uint8

// The ends, as enum history_end of bpf/history.h numbers them.
const (
	// EndNone: it has not ended.
	EndNone End = 0
	// EndClosed: the application closed it, or shut it down.
	EndClosed End = 1
	// EndExited: its process ended and left closing it to the kernel.
	EndExited End = 2
	// EndReset: a RST came.
	EndReset End = 3
	// EndKeepAlive: keepalive probes were not answered.
	EndKeepAlive End = 4
	// EndRetransmitted: what was sent, or a zero-window probe, was not acknowledged.
	EndRetransmitted End = 5
	// EndDestroyed: somebody destroyed it (SOCK_DESTROY, as ss -K does).
	EndDestroyed End = 6
	// EndListener: its listener was closed before it was accepted.
	EndListener End = 7
	// EndPeer: the peer closed its half too.
	EndPeer End = 8
	// EndOther: none of these.
	EndOther End = 9
)

// The flags, as enum history_flags numbers them.
const (
	flagOutbound = 1 << iota
	flagInbound
	flagOlder
	flagFINReceived
	flagFINSent
	flagResetReceived
	flagResetSent
	flagPeeked
	flagRead
	flagHeld
)

// sizeHistory is the size of struct history.
const sizeHistory = 56

// moment splits a struct history's time from the 16 bits below it.
func moment(b []byte) (time.Duration, uint16) {
	v := binary.LittleEndian.Uint64(b)
	return time.Duration(v>>16) * time.Microsecond, uint16(v)
}

// decodeHistory reads a struct history from b, which has its size.
func decodeHistory(b []byte, h *History) {
	_ = b[sizeHistory-1]
	var flags, end uint16
	h.Opened, flags = moment(b[0:])
	h.HalfClosed, h.Unread = moment(b[8:])
	h.Zero, h.Zeros = moment(b[16:])
	h.Ended, end = moment(b[24:])
	h.End = End(min(end, uint16(EndOther)))
	h.Outbound = flags&flagOutbound != 0
	h.Inbound = flags&flagInbound != 0
	h.Older = flags&flagOlder != 0
	h.FINReceived = flags&flagFINReceived != 0
	h.FINSent = flags&flagFINSent != 0
	h.ResetReceived = flags&flagResetReceived != 0
	h.ResetSent = flags&flagResetSent != 0
	h.Peeked = flags&flagPeeked != 0
	h.Read = flags&flagRead != 0
	h.Held = flags&flagHeld != 0
	le := binary.LittleEndian
	h.OpenerStack, h.ReaderStack, h.ZeroStack = le.Uint32(b[32:]), le.Uint32(b[36:]), le.Uint32(b[40:])
	h.OpenerPID, h.ZeroPID = int32(le.Uint32(b[44:])), int32(le.Uint32(b[48:]))
}

// Socket names a connection.
type Socket struct {
	// Cookie is SO_COOKIE.
	Cookie uint64
	// NetNS is the inode number of its network namespace.
	NetNS    uint32
	State    tcp.State
	Protocol uint16
	// Local and Remote are as the kernel has them: IPv4-mapped addresses are kept.
	Local, Remote netip.AddrPort
}

// Protocols of a Socket (include/uapi/linux/in.h).
const (
	ProtocolTCP   = 6
	ProtocolMPTCP = 262
)

const (
	familyIPv4 = 2
	familyIPv6 = 10
)

// addresses reads two addresses of 16 bytes and two ports.
func (s *Socket) addresses(family byte, b []byte) error {
	_ = b[35]
	local, remote := binary.BigEndian.Uint16(b[32:]), binary.BigEndian.Uint16(b[34:])
	switch family {
	case familyIPv4:
		s.Local = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[0:4])), local)
		s.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[16:20])), remote)
	case familyIPv6:
		s.Local = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[0:16])), local)
		s.Remote = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[16:32])), remote)
	default:
		return fmt.Errorf("a socket of unknown family %d", family)
	}
	return nil
}

// Record is a tracked connection.
type Record struct {
	Socket
	History
}

// sizeListed is the size of struct listed of bpf/list.bpf.c.
const sizeListed = 112

// decodeRecord reads a struct listed from b, which has its size.
func decodeRecord(b []byte, r *Record) error {
	_ = b[sizeListed-1]
	*r = Record{Socket: Socket{
		Cookie: binary.LittleEndian.Uint64(b[0:]), NetNS: binary.LittleEndian.Uint32(b[8:]),
		State: tcp.State(b[13]), Protocol: binary.LittleEndian.Uint16(b[14:]),
	}}
	decodeHistory(b[56:], &r.History)
	return r.addresses(b[12], b[16:52])
}
