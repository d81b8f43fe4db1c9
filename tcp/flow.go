package tcp

import "net/netip"

// Flow names one direction-less connection as its local host sees it.
type Flow struct {
	Local, Remote netip.AddrPort
}

// Unmapped returns the flow with IPv4-mapped IPv6 addresses turned into plain
// IPv4: a dual-stack listener's ::ffff:192.0.2.1 and 192.0.2.1 are one host.
func (f Flow) Unmapped() Flow {
	return Flow{Local: unmap(f.Local), Remote: unmap(f.Remote)}
}

// Reverse returns the flow as the peer sees it.
func (f Flow) Reverse() Flow { return Flow{Local: f.Remote, Remote: f.Local} }

// String formats the flow as "local → remote".
func (f Flow) String() string { return f.Local.String() + " → " + f.Remote.String() }

func unmap(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
