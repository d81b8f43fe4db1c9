//go:build linux

package sensor

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ring is as much of io_uring as one read needs.
type ring struct {
	fd      int
	memory  []byte
	entries []byte
	params  uringParams
}

// Of include/uapi/linux/io_uring.h.
type uringParams struct {
	sqEntries, cqEntries, flags, sqThreadCPU, sqThreadIdle, features, wqFD uint32
	_                                                                      [3]uint32
	sq                                                                     uringOffsets
	cq                                                                     uringOffsets
}

type uringOffsets struct {
	head, tail, mask, entries, a, b, c, _ uint32
	_                                     uint64
}

const (
	uringOpRecv     = 27
	uringEntrySize  = 64
	uringOffEntries = 0x10000000
	uringGetEvents  = 1
	uringSingleMmap = 1
)

func newRing() (*ring, error) {
	r := &ring{}
	n, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 4, uintptr(unsafe.Pointer(&r.params)), 0)
	if errno != 0 {
		return nil, errno
	}
	r.fd = int(n)
	p := &r.params
	if p.features&uringSingleMmap == 0 {
		r.close()
		return nil, unix.ENOTSUP
	}
	size := max(int(p.sq.c)+int(p.sqEntries)*4, int(p.cq.b)+int(p.cqEntries)*16)
	var err error
	if r.memory, err = unix.Mmap(r.fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		r.close()
		return nil, err
	}
	r.entries, err = unix.Mmap(r.fd, uringOffEntries, int(p.sqEntries)*uringEntrySize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *ring) word(at uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.memory[at])) }

// recv reads once; a negative result is an errno.
func (r *ring) recv(fd int, b []byte) int {
	p := &r.params
	e := r.entries[:uringEntrySize]
	clear(e)
	e[0] = uringOpRecv
	*(*int32)(unsafe.Pointer(&e[4])) = int32(fd)
	*(*uintptr)(unsafe.Pointer(&e[16])) = uintptr(unsafe.Pointer(&b[0]))
	*(*uint32)(unsafe.Pointer(&e[24])) = uint32(len(b))
	tail := atomic.LoadUint32(r.word(p.sq.tail))
	*r.word(p.sq.c + 4*(tail&*r.word(p.sq.mask))) = 0
	atomic.StoreUint32(r.word(p.sq.tail), tail+1)
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), 1, 1, uringGetEvents, 0, 0); errno != 0 {
		return -int(errno)
	}
	head := atomic.LoadUint32(r.word(p.cq.head))
	at := p.cq.b + 16*(head&*r.word(p.cq.mask))
	result := int32(*r.word(at + 8))
	atomic.StoreUint32(r.word(p.cq.head), head+1)
	return int(result)
}

func (r *ring) close() {
	if r.entries != nil {
		_ = unix.Munmap(r.entries)
	}
	if r.memory != nil {
		_ = unix.Munmap(r.memory)
	}
	unix.Close(r.fd)
}
