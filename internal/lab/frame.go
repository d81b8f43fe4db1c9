package lab

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"github.com/closewait/closewait/tcp"
)

// frame is what the lab reads of an Ethernet frame with a TCP segment over IPv4.
type frame struct {
	From, To netip.AddrPort
	Segment  tcp.Segment
	// Scale is a SYN's window scale option; HasScale: it has one.
	Scale    uint8
	HasScale bool
	// tcp and end are where in the frame the segment begins and ends.
	tcp, end int
}

const (
	etherHeader = 14
	etherIPv4   = 0x0800
)

// parseFrame reads a frame; ok is false for anything else than TCP over IPv4,
// whole and not a fragment.
func parseFrame(b []byte) (f frame, ok bool) {
	if len(b) < etherHeader+20 || binary.BigEndian.Uint16(b[12:]) != etherIPv4 {
		return f, false
	}
	ip := b[etherHeader:]
	header, total := int(ip[0]&0xf)*4, int(binary.BigEndian.Uint16(ip[2:]))
	const fragment = 0x3fff // more fragments, and the offset
	if ip[0]>>4 != 4 || header < 20 || total > len(ip) || total < header+20 || ip[9] != 6 ||
		binary.BigEndian.Uint16(ip[6:])&fragment != 0 {
		return f, false
	}
	seg := ip[header:total]
	offset := int(seg[12]>>4) * 4
	if offset < 20 || offset > len(seg) {
		return f, false
	}
	f = frame{tcp: etherHeader + header, end: etherHeader + total}
	src, dst := [4]byte(ip[12:16]), [4]byte(ip[16:20])
	f.From = netip.AddrPortFrom(netip.AddrFrom4(src), binary.BigEndian.Uint16(seg))
	f.To = netip.AddrPortFrom(netip.AddrFrom4(dst), binary.BigEndian.Uint16(seg[2:]))
	f.Segment = tcp.Segment{
		Seq: tcp.Seq(binary.BigEndian.Uint32(seg[4:])), Ack: tcp.Seq(binary.BigEndian.Uint32(seg[8:])),
		Len: uint32(len(seg) - offset), Window: uint32(binary.BigEndian.Uint16(seg[14:])),
		// The bits are at their places in the header, AE (once NS) in the octet before.
		Flags: tcp.Flags(seg[13]) | tcp.Flags(seg[12]&1)<<8,
	}
	f.options(seg[20:offset])
	return f, true
}

// options reads a SYN's options: kind 2 is the MSS, 3 the window scale (RFC 9293
// §3.2, RFC 7323 §2.2).
func (f *frame) options(b []byte) {
	if !f.Segment.Has(tcp.SYN) {
		return
	}
	for len(b) > 0 && b[0] != 0 {
		if b[0] == 1 {
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			return
		}
		switch {
		case b[0] == 2 && b[1] == 4:
			f.Segment.MSS = binary.BigEndian.Uint16(b[2:])
		case b[0] == 3 && b[1] == 3:
			f.Scale, f.HasScale = min(b[2], 14), true
		}
		b = b[b[1]:]
	}
}

// finished is a captured frame with its TCP checksum put in: between namespaces
// the kernel leaves that to a device which there is not.
func (f frame) finished(captured []byte) []byte {
	b := bytes.Clone(captured)
	seg := b[f.tcp:f.end]
	seg[16], seg[17] = 0, 0
	src, dst := f.From.Addr().As4(), f.To.Addr().As4()
	pseudo := [12]byte{9: 6}
	copy(pseudo[0:], src[:])
	copy(pseudo[4:], dst[:])
	binary.BigEndian.PutUint16(pseudo[10:], uint16(len(seg)))
	sum := sum16(sum16(0, pseudo[:]), seg)
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(seg[16:], ^uint16(sum))
	return b
}

// sum16 adds up 16-bit words (RFC 1071). No frame is long enough to overflow it.
func sum16(sum uint32, b []byte) uint32 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum
}
