package closewaittest

import (
	"encoding/binary"
	"time"

	"github.com/closewait/closewait/tcp"
)

// info is the part of struct tcp_info (include/uapi/linux/tcp.h) that is used
// here. Fields that an older kernel does not have are zero.
type info struct {
	state                  tcp.State
	lastData, lastAck      time.Duration // since the last data and the last ACK were received
	bytesAcked, bytesRecvd uint64
	segsIn                 uint32
}

// infoSize is more than any kernel's struct tcp_info yet.
const infoSize = 512

// parseInfo decodes as much of a struct tcp_info as there is.
func parseInfo(b []byte) info {
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
	var i info
	if len(b) > 0 {
		i.state = tcp.State(b[0])
	}
	i.lastData = time.Duration(u32(52)) * time.Millisecond
	i.lastAck = time.Duration(u32(56)) * time.Millisecond
	i.bytesAcked, i.bytesRecvd, i.segsIn = u64(120), u64(128), u32(140)
	return i
}

// dead reports whether it was connected once and is no more: it has received at
// least the peer's FIN, or had its own SYN acknowledged. A fresh socket and one
// whose connect was refused have neither.
func (i info) dead() bool {
	return i.state == tcp.Closed && i.segsIn > 0 && (i.bytesRecvd > 0 || i.bytesAcked > 0)
}

// age brackets how long the socket has been half-closed. A FIN carries an ACK,
// so it moved the one time and not the other (net/ipv4/tcp_input.c); a RST moves
// neither.
func (i info) age() (atLeast, atMost time.Duration) {
	switch {
	case i.state == tcp.CloseWait:
		return i.lastAck, max(i.lastAck, i.lastData)
	case i.dead():
		return 0, i.lastAck
	case i.state == tcp.FinWait2:
		return i.lastAck, 0
	}
	return 0, 0
}
