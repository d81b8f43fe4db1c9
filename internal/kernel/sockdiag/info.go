//go:build linux

package sockdiag

import "encoding/binary"

// TCPInfo is the useful part of struct tcp_info, or of struct mptcp_info for a
// row of an MPTCP dump. A field that the running kernel's structure does not
// reach is 0.
type TCPInfo struct {
	// HasTimes says that the three times were told: always for TCP, since Linux
	// 6.10 for MPTCP.
	HasTimes bool
	// Milliseconds since the last data segment was sent, the last one was
	// received, and the last ACK was processed. A socket that never sent or
	// received data counts from its beginning.
	LastDataSent, LastDataRecv, LastAckRecv uint32

	Retransmits, Probes, Backoff uint8
	// RTO and RTT are in microseconds; RTO includes the back-off.
	RTO, RTT uint32
	// Unacked counts segments in flight, NotSent bytes queued behind the window.
	Unacked, NotSent uint32
	// SendWindow is the peer's last offered window in bytes (Linux 5.4).
	SendWindow uint32

	// BytesReceived counts the peer's FIN as one (TCP); BytesAcked counts our SYN
	// on an active open, and our FIN.
	BytesSent, BytesAcked, BytesReceived, BytesRetrans uint64
	SegsIn, SegsOut, DataSegsIn, DataSegsOut           uint32

	// TotalRTO is how many retransmission timeouts there were, TotalRTOTime the
	// milliseconds spent recovering from them (Linux 6.7).
	TotalRTO     uint16
	TotalRTOTime uint32

	// Subflows and Token are MPTCP's: the additional subflows, and the
	// connection's local token.
	Subflows uint8
	Token    uint32
	// Fallback is set when an MPTCP connection went back to plain TCP.
	Fallback bool
	// Connected is set when an MPTCP connection was established once: the peer's
	// key has come, or, of one that went back to plain TCP, the ACK of the SYN.
	Connected bool
}

// field reads the kernel's structures, which grow at their end: what lies
// behind the end of a shorter one is 0.
type field []byte

func (f field) u8(at int) uint8 {
	if len(f) < at+1 {
		return 0
	}
	return f[at]
}

func (f field) u16(at int) uint16 {
	if len(f) < at+2 {
		return 0
	}
	return binary.NativeEndian.Uint16(f[at:])
}

func (f field) u32(at int) uint32 {
	if len(f) < at+4 {
		return 0
	}
	return binary.NativeEndian.Uint32(f[at:])
}

func (f field) u64(at int) uint64 {
	if len(f) < at+8 {
		return 0
	}
	return binary.NativeEndian.Uint64(f[at:])
}

// parseTCP reads struct tcp_info (include/uapi/linux/tcp.h).
func (i *TCPInfo) parseTCP(f field) {
	i.Retransmits, i.Probes, i.Backoff = f.u8(2), f.u8(3), f.u8(4)
	i.RTO, i.RTT = f.u32(8), f.u32(68)
	i.Unacked, i.NotSent, i.SendWindow = f.u32(24), f.u32(144), f.u32(228)
	i.LastDataSent, i.LastDataRecv, i.LastAckRecv = f.u32(44), f.u32(52), f.u32(56)
	i.HasTimes = len(f) >= 60
	i.BytesAcked, i.BytesReceived = f.u64(120), f.u64(128)
	i.BytesSent, i.BytesRetrans = f.u64(200), f.u64(208)
	i.SegsOut, i.SegsIn = f.u32(136), f.u32(140)
	i.DataSegsIn, i.DataSegsOut = f.u32(152), f.u32(156)
	i.TotalRTO, i.TotalRTOTime = f.u16(240), f.u32(244)
}

// MPTCP_INFO_FLAG_FALLBACK and MPTCP_INFO_FLAG_REMOTE_KEY_RECEIVED.
const (
	mptcpFallback  = 1 << 0
	mptcpRemoteKey = 1 << 1
)

// parseMPTCP reads struct mptcp_info (include/uapi/linux/mptcp.h).
func (i *TCPInfo) parseMPTCP(f field) {
	i.Subflows, i.Token = f.u8(0), f.u32(12)
	i.Fallback = f.u32(8)&mptcpFallback != 0
	i.BytesRetrans, i.BytesSent = f.u64(48), f.u64(56)
	i.BytesReceived, i.BytesAcked = f.u64(64), f.u64(72)
	i.Connected = f.u32(8)&mptcpRemoteKey != 0 || i.BytesReceived > 0 || i.BytesAcked > 0
	i.LastDataSent, i.LastDataRecv, i.LastAckRecv = f.u32(84), f.u32(88), f.u32(92)
	i.HasTimes = len(f) >= 96
}
