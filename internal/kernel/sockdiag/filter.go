//go:build linux

package sockdiag

import (
	"encoding/binary"
	"net/netip"
)

// The host conditions of INET_DIAG_REQ_BYTECODE. They compare port and address
// both, and are as old as the interface; the port-only codes are younger.
const (
	opSource      = 7 // INET_DIAG_BC_S_COND
	opDestination = 8 // INET_DIAG_BC_D_COND
)

const (
	opHeader   = 4 // struct inet_diag_bc_op
	condHeader = 8 // struct inet_diag_hostcond, without its address
)

// bytecode is the filter program for q, empty when q does not filter. Each
// condition that holds leads to the next one; one that does not jumps four
// bytes behind the end, by which the kernel knows a refusal
// (net/ipv4/inet_diag.c, inet_diag_bc_run).
func (q Query) bytecode() []byte {
	type condition struct {
		code byte
		host netip.AddrPort
	}
	var conds []condition
	rest := 0
	for _, c := range []condition{{opSource, q.Local}, {opDestination, q.Remote}} {
		if c.host.Addr().IsValid() || c.host.Port() != 0 {
			conds = append(conds, c)
			rest += conditionSize(c.host)
		}
	}
	var b []byte
	for _, c := range conds {
		b = appendCondition(b, c.code, c.host, rest)
		rest -= conditionSize(c.host)
	}
	return b
}

func conditionSize(host netip.AddrPort) int {
	return opHeader + condHeader + host.Addr().Unmap().BitLen()/8
}

// appendCondition appends one condition; rest is the length of the program from
// it to the end.
func appendCondition(b []byte, code byte, host netip.AddrPort, rest int) []byte {
	addr := host.Addr().Unmap()
	family := Both // AF_UNSPEC: any address
	switch {
	case addr.Is4():
		family = IPv4
	case addr.Is6():
		family = IPv6
	}
	port := int32(-1) // any
	if host.Port() != 0 {
		port = int32(host.Port())
	}
	b = append(b, code, byte(conditionSize(host)))
	b = binary.NativeEndian.AppendUint16(b, uint16(rest+4))
	b = append(b, byte(family), byte(addr.BitLen()), 0, 0)
	b = binary.NativeEndian.AppendUint32(b, uint32(port))
	return append(b, addr.AsSlice()...)
}
