package symbols

import (
	"bytes"
	"encoding/binary"
)

// cursor reads fields of DWARF data. After the end it yields zeros and sets err.
type cursor struct {
	data []byte
	addr uint64 // of data[0]
	err  bool
}

func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.data)) {
		c.err, c.data = true, nil
		return make([]byte, 8)[:min(n, 8)]
	}
	b := c.data[:n]
	c.data, c.addr = c.data[n:], c.addr+n
	return b
}

func (c *cursor) skip(n uint64) { c.take(n) }
func (c *cursor) u8() byte      { return c.take(1)[0] }
func (c *cursor) u16() uint16   { return binary.LittleEndian.Uint16(c.take(2)) }
func (c *cursor) u32() uint32   { return binary.LittleEndian.Uint32(c.take(4)) }
func (c *cursor) u64() uint64   { return binary.LittleEndian.Uint64(c.take(8)) }

func (c *cursor) text() string {
	i := bytes.IndexByte(c.data, 0)
	if i < 0 {
		c.err, c.data = true, nil
		return ""
	}
	s := string(c.data[:i])
	c.skip(uint64(i) + 1)
	return s
}

func (c *cursor) uleb() uint64 {
	var n uint64
	for shift := uint(0); ; shift += 7 {
		b := c.u8()
		if shift < 64 {
			n |= uint64(b&0x7f) << shift
		}
		if b&0x80 == 0 || c.err {
			return n
		}
	}
}

func (c *cursor) sleb() int64 {
	var n int64
	for shift := uint(0); ; {
		b := c.u8()
		if shift < 64 {
			n |= int64(b&0x7f) << shift
		}
		shift += 7
		if b&0x80 == 0 || c.err {
			if shift < 64 && b&0x40 != 0 {
				n |= -1 << shift
			}
			return n
		}
	}
}

// pointer reads an address as .eh_frame encodes it: DW_EH_PE_absptr, udata4,
// udata8, sdata4 or sdata8, as it is or relative to its own place.
func (c *cursor) pointer(encoding byte) uint64 {
	var base uint64
	switch encoding & 0xf0 {
	case 0x00:
	case 0x10:
		base = c.addr
	default:
		c.err = true
		return 0
	}
	switch encoding & 0x0f {
	case 0x03:
		return base + uint64(c.u32())
	case 0x0b:
		return base + uint64(int64(int32(c.u32())))
	case 0x00, 0x04, 0x0c:
		return base + c.u64()
	}
	c.err = true
	return 0
}
