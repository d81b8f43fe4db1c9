//go:build linux

package sockdiag

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/closewait/closewait/tcp"
)

// rowHeader is sizeof(struct inet_diag_msg).
const rowHeader = 72

// The attributes of a row (include/uapi/linux/inet_diag.h).
const (
	attrInfo     = 2
	attrShutdown = 8
	attrV6Only   = 11
	attrULP      = 19
	attrCgroupID = 21
	attrSockOpt  = 22

	attrTypeMask = 0x3fff // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
)

var errAttribute = errors.New("an attribute's length does not fit its message")

// parseRow decodes one message's payload into r, overwriting all of it. It
// allocates nothing and keeps no part of b.
func parseRow(b []byte, r *Row, proto Protocol) error {
	if len(b) < rowHeader {
		return fmt.Errorf("row of %d bytes is shorter than the %d of inet_diag_msg", len(b), rowHeader)
	}
	*r = Row{
		Family: Family(b[0]), State: tcp.State(b[1]), Timer: b[2], Retrans: b[3],
		MPTCP: proto == MPTCP,
	}
	local, remote, err := parseAddrs(r.Family, b)
	if err != nil {
		return err
	}
	f := field(b)
	r.ID = ID{
		Local:     netip.AddrPortFrom(local, binary.BigEndian.Uint16(b[4:])),
		Remote:    netip.AddrPortFrom(remote, binary.BigEndian.Uint16(b[6:])),
		Interface: f.u32(40),
		Cookie:    uint64(f.u32(44)) | uint64(f.u32(48))<<32,
	}
	if r.Cookie == noCookie {
		r.Cookie = 0
	}
	r.Expires, r.RQueue, r.WQueue = f.u32(52), f.u32(56), f.u32(60)
	r.UID, r.Inode = f.u32(64), f.u32(68)
	return walkAttributes(b[rowHeader:], r.attribute)
}

// parseAddrs reads the two addresses of struct inet_diag_sockid.
func parseAddrs(family Family, b []byte) (local, remote netip.Addr, err error) {
	switch family {
	case IPv4:
		return netip.AddrFrom4([4]byte(b[8:])), netip.AddrFrom4([4]byte(b[24:])), nil
	case IPv6:
		return netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:])), nil
	}
	return local, remote, fmt.Errorf("row of unknown address family %d", family)
}

// attribute takes one attribute; those it does not know it skips.
func (r *Row) attribute(typ uint16, v []byte) {
	f := field(v)
	switch typ {
	case attrInfo:
		r.HasInfo = true
		if r.MPTCP {
			r.Info.parseMPTCP(f)
		} else {
			r.Info.parseTCP(f)
		}
	case attrShutdown:
		r.Shutdown, r.HasShutdown = f.u8(0), len(f) > 0
	case attrV6Only:
		r.V6Only = f.u8(0) != 0
	case attrULP:
		r.ULP = parseULP(v)
	case attrCgroupID:
		r.CgroupID = f.u64(0)
	case attrSockOpt:
		r.SockOpt = SockOpt(f.u8(0)) | SockOpt(f.u8(1))<<8
	}
}

// parseULP reads the name inside INET_DIAG_ULP_INFO.
func parseULP(b []byte) ULP {
	const name = 1 // INET_ULP_INFO_NAME
	ulp := ULPOther
	// A broken inner attribute leaves the protocol unnamed; the row stays good.
	_ = walkAttributes(b, func(typ uint16, v []byte) {
		if typ != name {
			return
		}
		switch string(v) {
		case "tls\x00", "tls":
			ulp = ULPTLS
		case "mptcp\x00", "mptcp":
			ulp = ULPMPTCP
		}
	})
	return ulp
}

// walkAttributes calls each for every attribute in b. Bytes that are too few
// for another header are padding.
func walkAttributes(b []byte, each func(typ uint16, v []byte)) error {
	for len(b) >= 4 {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) {
			return errAttribute
		}
		each(binary.NativeEndian.Uint16(b[2:])&attrTypeMask, b[4:n])
		b = b[min(align4(n), len(b)):]
	}
	return nil
}

func align4(n int) int { return (n + 3) &^ 3 }
