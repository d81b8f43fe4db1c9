package sim

import (
	"net/netip"

	"github.com/closewait/closewait/tcp"
)

// Packet is a segment on its way between two addresses.
type Packet struct {
	From, To netip.AddrPort
	Segment  tcp.Segment
}

// String formats the packet as "from → to <SEQ=…>".
func (p Packet) String() string {
	return p.From.String() + " → " + p.To.String() + " " + p.Segment.String()
}
