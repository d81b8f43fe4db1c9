package netstack

import (
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/closewait/closewait/tcp"
)

// packet is one on the link: its bytes, from the IPv4 header on, and the segment
// that they carry.
type packet struct {
	raw     []byte
	segment tcp.Segment
}

// decoder reads what one host sends. The window's scale is told in the SYN alone,
// so that it has to see all packets, from the first on.
type decoder struct {
	scale  uint8 // as announced
	scaled bool  // both hosts announced one
}

// decode reads the segment of an IPv4 packet. Anything else, a fragment too, is
// not ok: a stack whose only protocol is TCP sends none.
func (d *decoder) decode(raw []byte, peer *decoder) (p packet, ok bool) {
	ip := header.IPv4(raw)
	if !ip.IsValid(len(raw)) || ip.TransportProtocol() != header.TCPProtocolNumber ||
		ip.More() || ip.FragmentOffset() != 0 {
		return packet{}, false
	}
	t := header.TCP(ip.Payload())
	if len(t) < header.TCPMinimumSize {
		return packet{}, false
	}
	offset := int(t.DataOffset())
	if offset < header.TCPMinimumSize || offset > len(t) {
		return packet{}, false
	}
	s := tcp.Segment{
		Seq: tcp.Seq(t.SequenceNumber()), Ack: tcp.Seq(t.AckNumber()),
		Len: uint32(len(t) - offset), Window: uint32(t.WindowSize()), Flags: tcp.Flags(t.Flags()),
	}
	if s.Has(tcp.SYN) {
		d.announce(&s, t[header.TCPMinimumSize:offset], peer)
	} else if d.scaled && peer.scaled {
		s.Window <<= d.scale
	}
	return packet{raw: raw, segment: s}, true
}

// announce reads the options of a SYN. The window of a SYN itself is not scaled
// (RFC 7323 §2.2).
func (d *decoder) announce(s *tcp.Segment, options []byte, peer *decoder) {
	if !s.Has(tcp.ACK) {
		*peer = decoder{}
	}
	o := header.ParseSynOptions(options, s.Has(tcp.ACK))
	s.MSS = o.MSS
	*d = decoder{}
	if o.WS >= 0 {
		d.scale, d.scaled = uint8(o.WS), true
	}
}
