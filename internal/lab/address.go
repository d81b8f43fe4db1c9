package lab

import (
	"net"
	"net/netip"
)

// address is a host's; RFC 5737's documentation range, known nowhere else.
func address(host int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + host)}) }

// mac is the hardware address of a host's interface, locally administered.
func mac(host int) net.HardwareAddr {
	return net.HardwareAddr{0x02, 0, 0, 0, 0, byte(1 + host)}
}
