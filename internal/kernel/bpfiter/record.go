package bpfiter

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/closewait/closewait/tcp"
)

// Kind says what a Record describes.
type Kind uint8

// The kinds, as enum kind of bpf/sockets.bpf.c numbers them.
const (
	// KindSocket is a socket with all its fields.
	KindSocket Kind = 1
	// KindHeld is a half-closed socket that has a file, as Held sees it: only
	// NetNS, Inode, Cookie, State and Protocol are set. Owned has its full record,
	// unless no process holds the file.
	KindHeld Kind = 2
	// KindNetNS is a descriptor of a network namespace: only PID, TID, FD and
	// NetNS are set.
	KindNetNS Kind = 3
)

// Protocols of a Record (include/uapi/linux/in.h).
const (
	ProtocolTCP   = 6
	ProtocolMPTCP = 262
)

// Record is one socket as the kernel has it. Figures are those that a
// INET_DIAG row and struct tcp_info give for the same socket. Times are in
// milliseconds.
type Record struct {
	Kind Kind
	// PID and FD are the descriptor; 0 for a socket without one. TID differs from
	// PID for a thread that has descriptors of its own.
	PID, TID, FD int32
	// NetNS is the inode number of the socket's network namespace.
	NetNS uint32
	// Inode is the N of "socket:[N]"; 0 for a socket without a file.
	Inode uint64
	// Cookie is SO_COOKIE; never 0 in a KindSocket or KindHeld record.
	Cookie   uint64
	State    tcp.State
	Protocol uint16
	// Local and Remote are as the kernel has them: IPv4-mapped addresses are kept.
	// Remote is the zero address and port for LISTEN.
	Local, Remote netip.AddrPort
	// UID is the creator's, in the initial user namespace; 0 for a mini-socket.
	UID          uint32
	RecvQ, SendQ uint32
	// Timer is idiag_timer; Expires what is left of it, Retries idiag_retrans.
	Timer, Retries uint8
	Expires        uint32
	// Shutdown is sk_shutdown: 1 receive, 2 send.
	Shutdown uint8
	// Err is sk_err, the pending error that SO_ERROR would return and clear.
	Err uint16
	// KeepAlive is SO_KEEPALIVE.
	KeepAlive bool
	// Subflow marks a TCP socket that belongs to an MPTCP connection.
	Subflow bool
	// HasTimes says that the three times of an MPTCP connection are known.
	HasTimes bool

	// HasTCP says that the fields below come from a struct tcp_sock. For MPTCP
	// only the byte counts and the three times are set (Linux 6.5 and 6.10), for
	// LISTEN and mini-sockets nothing is.
	HasTCP                                  bool
	BytesReceived, BytesSent, BytesAcked    uint64
	LastDataSent, LastDataRecv, LastAckRecv uint32
	SegsIn, DataSegsIn, DataSegsOut         uint32
	RTO                                     uint32
	Backoff                                 uint8
	// RTOMin and RTOMax are the limits in force: the socket's, or its namespace's.
	// RTOMax is 0 before Linux 6.15, where it is a constant 120 s.
	RTOMin, RTOMax uint32
	// The socket's own settings; 0 where the namespace's apply.
	KeepIdle, KeepIntvl uint32
	KeepProbes          uint8
	UserTimeout         uint32
	// Linger2 is negative if FIN_WAIT_2 is to be skipped.
	Linger2 int32
	// RetransAge is how long ago the first retransmission of what is now
	// unanswered was sent (retrans_stamp); 0 if none was.
	RetransAge uint32
}

// Sizes of struct record and of its two shorter forms.
const (
	sizeHeader = 24
	sizeHeld   = 40
	sizeRecord = 184
)

const (
	flagKeepAlive = 1
	flagTCP       = 2
	flagSubflow   = 4
	flagTimes     = 8
)

const (
	familyIPv4 = 2
	familyIPv6 = 10
)

// hertz is the kernel's tick rate.
type hertz uint64

// millis converts jiffies as the kernel's jiffies_to_msecs does: by a whole
// factor where HZ divides 1000, else rounding up (kernel/time/time.c).
func (hz hertz) millis(jiffies uint32) uint32 {
	return uint32((uint64(jiffies)*1000 + uint64(hz) - 1) / uint64(hz))
}

// decode reads the record at the start of b into r and returns its length; 0
// if b ends before the record does.
func decode(b []byte, hz hertz, r *Record) (int, error) {
	if len(b) < sizeHeader {
		return 0, nil
	}
	kind, size := Kind(b[0]), int(binary.LittleEndian.Uint16(b[2:]))
	var want int
	switch kind {
	case KindSocket:
		want = sizeRecord
	case KindHeld:
		want = sizeHeld
	case KindNetNS:
		want = sizeHeader
	default:
		return 0, fmt.Errorf("record of unknown kind %d", kind)
	}
	if size != want {
		return 0, fmt.Errorf("record of kind %d has %d bytes, want %d", kind, size, want)
	}
	if len(b) < size {
		return 0, nil
	}
	*r = Record{Kind: kind}
	b = b[:size]
	decodeHeader(b, r)
	if kind == KindNetNS {
		return size, nil
	}
	r.Inode = binary.LittleEndian.Uint64(b[24:])
	r.Cookie = binary.LittleEndian.Uint64(b[32:])
	if kind == KindSocket {
		if err := decodeSocket(b, hz, r); err != nil {
			return 0, err
		}
	}
	return size, nil
}

func decodeHeader(b []byte, r *Record) {
	r.KeepAlive = b[1]&flagKeepAlive != 0
	r.HasTCP = b[1]&flagTCP != 0
	r.Subflow = b[1]&flagSubflow != 0
	r.HasTimes = b[1]&flagTimes != 0
	r.State = tcp.State(b[4])
	r.Protocol = binary.LittleEndian.Uint16(b[6:])
	r.PID = int32(binary.LittleEndian.Uint32(b[8:]))
	r.TID = int32(binary.LittleEndian.Uint32(b[12:]))
	r.FD = int32(binary.LittleEndian.Uint32(b[16:]))
	r.NetNS = binary.LittleEndian.Uint32(b[20:])
}

func decodeSocket(b []byte, hz hertz, r *Record) error {
	_ = b[sizeRecord-1]
	le := binary.LittleEndian
	local, remote := binary.BigEndian.Uint16(b[72:]), binary.BigEndian.Uint16(b[74:])
	switch family := b[5]; family {
	case familyIPv4:
		r.Local = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[40:44])), local)
		r.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[56:60])), remote)
	case familyIPv6:
		r.Local = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[40:56])), local)
		r.Remote = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[56:72])), remote)
	default:
		return fmt.Errorf("record of a socket of unknown family %d", family)
	}
	if r.State == tcp.Listen {
		r.Remote = netip.AddrPort{}
	}
	r.UID = le.Uint32(b[76:])
	r.RecvQ = le.Uint32(b[80:])
	r.SendQ = le.Uint32(b[84:])
	r.Timer, r.Retries, r.Shutdown, r.Backoff = b[88], b[89], b[90], b[91]
	r.Expires = hz.millis(le.Uint32(b[92:]))
	r.BytesReceived = le.Uint64(b[96:])
	r.BytesSent = le.Uint64(b[104:])
	r.BytesAcked = le.Uint64(b[112:])
	r.LastDataSent = hz.millis(le.Uint32(b[120:]))
	r.LastDataRecv = hz.millis(le.Uint32(b[124:]))
	r.LastAckRecv = hz.millis(le.Uint32(b[128:]))
	r.SegsIn = le.Uint32(b[132:])
	r.DataSegsIn = le.Uint32(b[136:])
	r.DataSegsOut = le.Uint32(b[140:])
	r.RTO = hz.millis(le.Uint32(b[144:]))
	r.RTOMin = hz.millis(le.Uint32(b[148:]))
	r.RTOMax = hz.millis(le.Uint32(b[152:]))
	r.KeepIdle = hz.millis(le.Uint32(b[156:]))
	r.KeepIntvl = hz.millis(le.Uint32(b[160:]))
	r.UserTimeout = le.Uint32(b[164:])
	r.Linger2 = linger(int32(le.Uint32(b[168:])), hz)
	r.RetransAge = le.Uint32(b[172:])
	r.Err = le.Uint16(b[176:])
	r.KeepProbes = b[178]
	return nil
}

// linger converts tp->linger2, whose negative values are a word, not a time.
func linger(jiffies int32, hz hertz) int32 {
	if jiffies < 0 {
		return -1
	}
	return int32(min(hz.millis(uint32(jiffies)), 1<<31-1))
}
