//go:build linux

package sockdiag

import (
	"encoding/binary"
	"errors"
	"syscall"
)

// The message types and flags of netlink itself (include/uapi/linux/netlink.h).
const (
	typeError   = 2
	typeDone    = 3
	typeOverrun = 4

	flagRequest         = 0x1
	flagDumpInterrupted = 0x10
	flagDump            = 0x300 // NLM_F_ROOT | NLM_F_MATCH

	messageHeader = 16
)

var errMessage = errors.New("a message's length does not fit its datagram")

// datagram walks the messages of one datagram: after next has returned true
// the fields describe a message, after false err says whether all was read.
type datagram struct {
	rest []byte
	err  error

	typ, flags uint16
	seq        uint32
	payload    []byte
}

func (d *datagram) next() bool {
	if len(d.rest) < messageHeader {
		if len(d.rest) > 0 {
			d.err = errMessage
		}
		return false
	}
	b := d.rest
	n := binary.NativeEndian.Uint32(b)
	if n < messageHeader || uint64(n) > uint64(len(b)) {
		d.err = errMessage
		return false
	}
	d.typ, d.flags = binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint16(b[6:])
	d.seq = binary.NativeEndian.Uint32(b[8:])
	d.payload = b[messageHeader:n]
	d.rest = b[min(align4(int(n)), len(b)):]
	return true
}

// status reads the error number that begins an NLMSG_ERROR, and, when the dump
// itself failed, an NLMSG_DONE. No number means no error.
func (d *datagram) status() error {
	if len(d.payload) < 4 {
		return nil
	}
	n := int32(binary.NativeEndian.Uint32(d.payload))
	if n >= 0 {
		return nil
	}
	return syscall.Errno(-int64(n))
}
