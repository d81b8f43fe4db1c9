package pidfd

import (
	"encoding/binary"

	"github.com/closewait/closewait/tcp"
)

// Info is the part of struct tcp_info (include/uapi/linux/tcp.h) that is used
// here. Fields that an older kernel does not have are zero.
type Info struct {
	State   tcp.State
	Backoff uint8
	// HasTimes says that the three times were told: always for TCP, since Linux
	// 6.10 for an MPTCP socket that has ended.
	HasTimes bool
	// RTO is the present retransmission timeout in microseconds.
	RTO uint32
	// Milliseconds since the last data segment sent and received, and the last
	// ACK received.
	LastDataSent, LastDataRecv, LastAckRecv uint32
	// BytesReceived counts the peer's FIN as one.
	BytesAcked, BytesReceived, BytesSent uint64
	SegsIn, DataSegsIn, DataSegsOut      uint32
}

// infoSize is more than any kernel's struct tcp_info yet.
const infoSize = 512

// parseInfo decodes as much of a struct tcp_info as there is.
func parseInfo(b []byte) Info {
	u8 := func(at int) uint8 {
		if at+1 > len(b) {
			return 0
		}
		return b[at]
	}
	u32 := func(at int) uint32 {
		if at+4 > len(b) {
			return 0
		}
		return binary.NativeEndian.Uint32(b[at:])
	}
	u64 := func(at int) uint64 {
		if at+8 > len(b) {
			return 0
		}
		return binary.NativeEndian.Uint64(b[at:])
	}
	return Info{
		State:         tcp.State(u8(0)),
		Backoff:       u8(4),
		HasTimes:      len(b) >= 60,
		RTO:           u32(8),
		LastDataSent:  u32(44),
		LastDataRecv:  u32(52),
		LastAckRecv:   u32(56),
		BytesAcked:    u64(120),
		BytesReceived: u64(128),
		SegsIn:        u32(140),
		DataSegsIn:    u32(152),
		DataSegsOut:   u32(156),
		BytesSent:     u64(200),
	}
}
