package pidfd

import (
	"encoding/binary"

	"github.com/closewait/closewait/tcp"
)

// mptcpInfo is MPTCP_INFO, at the level SOL_MPTCP (Linux 5.16). A connection that
// went on as plain TCP refuses it: all its options are its subflow's.
const mptcpInfo = 1

// remoteKey is MPTCP_INFO_FLAG_REMOTE_KEY_RECEIVED.
const remoteKey = 1 << 1

// multipathInfo is a struct mptcp_info (include/uapi/linux/mptcp.h), of size 0
// where the kernel did not tell it.
type multipathInfo struct {
	raw  [infoSize]byte
	size int
}

func (m *multipathInfo) u32(at int) uint32 {
	if at+4 > m.size {
		return 0
	}
	return binary.NativeEndian.Uint32(m.raw[at:])
}

func (m *multipathInfo) u64(at int) uint64 {
	if at+8 > m.size {
		return 0
	}
	return binary.NativeEndian.Uint64(m.raw[at:])
}

// connected: the handshake brings the peer's key, and nothing but a disconnect
// takes it away.
func (m *multipathInfo) connected() bool { return m.u32(8)&remoteKey != 0 }

// explain says whether the connection has ended, or that this can't be told, given
// what its first subflow tells. A reset takes the token away, by which a dump finds
// the connection, and makes the subflow forget everything.
func (m *multipathInfo) explain(first Info) (info Info, ended, untold bool) {
	const token = 12
	switch {
	case m.size == 0 && first.State == tcp.Closed:
		was := first.SegsIn > 0 && (first.BytesReceived > 0 || first.BytesAcked > 0)
		return first, was, first.SegsIn == 0
	case m.size == 0, !m.connected(), m.u32(token) != 0:
		return first, false, false
	}
	return Info{
		State:         tcp.Closed,
		HasTimes:      m.size >= 96,
		BytesSent:     m.u64(56),
		BytesReceived: m.u64(64),
		BytesAcked:    m.u64(72),
		LastDataSent:  m.u32(84),
		LastDataRecv:  m.u32(88),
		LastAckRecv:   m.u32(92),
	}, true, false
}
