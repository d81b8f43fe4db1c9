package diagnose

import "github.com/closewait/closewait/internal/observe"

// The kernel's default of ip_local_port_range, for a namespace whose own could
// not be read.
const firstEphemeral, lastEphemeral = 32768, 60999

// directionOf infers who opened the connection: a listener for the local
// address says inbound; an ephemeral local port without one says outbound. The sensor knows.
func directionOf(v *view, s *observe.Socket) Direction {
	if h := s.History; h != nil && h.Inbound != h.Outbound { // the sensor saw it
		if h.Inbound {
			return Inbound
		}
		return Outbound
	}
	if len(v.listenersFor(s)) > 0 {
		return Inbound
	}
	if v.sharesLocalPort(s) { // a service whose listener has gone
		return DirectionUnknown
	}
	first, last := portRange(v, s.NetNS)
	if p := int(s.Local.Port()); p >= first && p <= last {
		return Outbound
	}
	return DirectionUnknown
}

func portRange(v *view, ns uint64) (first, last int) {
	r := v.sysctl(ns).LocalPorts
	if r[0] == 0 || r[1] < r[0] {
		return firstEphemeral, lastEphemeral
	}
	return r[0], r[1]
}
