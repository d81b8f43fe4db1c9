package procfs

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// entries lists the names in a folder. The buffer, enough for the entries of
// some 340 descriptors, is part of it and so stays on the stack, which a slice
// of another one would not.
type entries struct {
	dir     folder
	at, end int
	err     error
	buf     [8 << 10]byte
}

// next returns the next name, a NUL ending it, or nil at the end or after an
// error, which is then in err. The name is good until the following call.
func (e *entries) next() []byte {
	for e.at >= e.end {
		n, err := unix.Getdents(e.dir.fd, e.buf[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			e.err = err
			return nil
		}
		e.at, e.end = 0, n
	}
	name, size := nextEntry(e.buf[e.at:e.end])
	if name == nil {
		e.err = ErrMalformed
	}
	e.at += size
	return name
}

// nextNumber returns the next name that is a number, with that number.
func (e *entries) nextNumber() (name []byte, v uint64) {
	for {
		if name = e.next(); name == nil {
			return nil, 0
		}
		if v, ok := number(name[:len(name)-1]); ok {
			return name, v
		}
	}
}

// nextEntry returns the name in the struct linux_dirent64 (include/linux/dirent.h)
// that buf begins with, the ending NUL included, and the entry's size: d_ino
// u64, d_off s64, d_reclen u16, d_type u8, d_name. A nil name means a malformed entry.
func nextEntry(buf []byte) (name []byte, size int) {
	const sizeAt, nameAt = 16, 19
	if len(buf) < nameAt {
		return nil, 0
	}
	size = int(binary.NativeEndian.Uint16(buf[sizeAt:]))
	if size < nameAt || size > len(buf) {
		return nil, 0
	}
	end := bytes.IndexByte(buf[nameAt:size], 0)
	if end < 0 {
		return nil, 0
	}
	return buf[nameAt : nameAt+end+1], size
}

// number reads a decimal number that fills the whole of b and fits 63 bits.
func number(b []byte) (uint64, bool) {
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	var v uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	return v, v < 1<<63
}
