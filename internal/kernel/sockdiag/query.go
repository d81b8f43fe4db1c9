//go:build linux

package sockdiag

import (
	"encoding/binary"
	"net/netip"

	"github.com/closewait/closewait/tcp"
)

// Protocol is what a dump lists.
type Protocol uint16

// The protocols. MPTCP lists multipath connections (Linux 5.9); their subflows
// are rows of a TCP dump.
const (
	TCP   Protocol = 6
	MPTCP Protocol = 262
)

// Query says which sockets a dump lists. The kernel does the choosing. The
// zero Query is every TCP socket of both families, without Info.
type Query struct {
	// Family; zero means both, in one pass over the kernel's table.
	Family Family
	// Protocol; zero means TCP.
	Protocol Protocol
	// States; zero means all.
	States StateSet
	// Info asks for TCPInfo, which makes a row about four times as long.
	Info bool
	// Local and Remote choose by address and port. Without an address only the
	// port counts, with port 0 only the address, and with neither there is no
	// filter. An IPv4 address also finds IPv4-mapped sockets.
	Local, Remote netip.AddrPort
}

// StateSet is a set of states, bit n standing for state n.
type StateSet uint32

// AllStates is every state that a dump knows.
const AllStates StateSet = 1<<(tcp.NewSynReceived+1) - 2

// States returns the set of the given states.
func States(states ...tcp.State) StateSet {
	var set StateSet
	for _, s := range states {
		set |= 1 << s & AllStates
	}
	return set
}

const (
	typeCompat   = 18 // TCPDIAG_GETSOCK
	typeByFamily = 20 // SOCK_DIAG_BY_FAMILY

	reqBytecode = 1 // INET_DIAG_REQ_BYTECODE
	reqProtocol = 3 // INET_DIAG_REQ_PROTOCOL

	// noCookie is INET_DIAG_NOCOOKIE in both halves: any socket will do.
	noCookie = ^uint64(0)
)

func (q Query) protocol() Protocol {
	if q.Protocol == 0 {
		return TCP
	}
	return q.Protocol
}

func (q Query) states() StateSet {
	if q.States == 0 {
		return AllStates
	}
	return q.States
}

// request returns the message type and payload that ask for q.
//
// The two families together can only be had by the older request, struct
// inet_diag_req: for the newer one the kernel wants a family
// (net/core/sock_diag.c). It is worth it, for a pass walks the hash table that
// all namespaces share, however few sockets there are to show.
func (q Query) request() (typ uint16, payload []byte) {
	var b []byte
	if q.Family == Both {
		typ = typeCompat
		b = append(b, byte(Both), 0, 0, q.extensions())
		b = appendSockID(b, ID{Cookie: noCookie})
		b = binary.NativeEndian.AppendUint32(b, uint32(q.states()))
		b = append(b, 0, 0, 0, 0) // idiag_dbs
	} else {
		typ = typeByFamily
		b = appendRequestV2(b, q.Family, q.protocol(), q.extensions(), q.states(), ID{Cookie: noCookie})
	}
	if p := q.protocol(); p != TCP {
		b = appendAttribute(b, reqProtocol, binary.NativeEndian.AppendUint32(nil, uint32(p)))
	}
	if code := q.bytecode(); len(code) > 0 {
		b = appendAttribute(b, reqBytecode, code)
	}
	return typ, b
}

// extensions is idiag_ext: bit n−1 asks for attribute n. Those not requested
// here (shutdown, cgroup, options) always come.
func (q Query) extensions() byte {
	if q.Info {
		return 1 << (attrInfo - 1)
	}
	return 0
}

// appendRequestV2 appends struct inet_diag_req_v2. A protocol beyond 8 bits
// travels in an attribute; the byte is then 0, for which a kernel that does not
// know the attribute has no handler, rather than a wrong one.
func appendRequestV2(b []byte, f Family, p Protocol, ext byte, states StateSet, id ID) []byte {
	short := byte(p)
	if p > 0xff {
		short = 0
	}
	b = append(b, byte(f), short, ext, 0)
	b = binary.NativeEndian.AppendUint32(b, uint32(states))
	return appendSockID(b, id)
}

// appendSockID appends struct inet_diag_sockid.
func appendSockID(b []byte, id ID) []byte {
	b = binary.BigEndian.AppendUint16(b, id.Local.Port())
	b = binary.BigEndian.AppendUint16(b, id.Remote.Port())
	for _, a := range []netip.Addr{id.Local.Addr(), id.Remote.Addr()} {
		var raw [16]byte
		copy(raw[:], a.AsSlice())
		b = append(b, raw[:]...)
	}
	b = binary.NativeEndian.AppendUint32(b, id.Interface)
	b = binary.NativeEndian.AppendUint32(b, uint32(id.Cookie))
	return binary.NativeEndian.AppendUint32(b, uint32(id.Cookie>>32))
}

func appendAttribute(b []byte, typ uint16, v []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(v)))
	b = binary.NativeEndian.AppendUint16(b, typ)
	b = append(b, v...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
