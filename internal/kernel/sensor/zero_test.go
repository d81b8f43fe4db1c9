//go:build linux

package sensor

import (
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/privilege"
)

// readings are the ways to read, each until it has had what came and once more.
var readings = []struct {
	name string
	read func(t *testing.T, f *os.File) int
}{
	{"recv", func(_ *testing.T, f *os.File) int { return recvfrom(f, 64, 0) }},
	{"recv of one byte", func(_ *testing.T, f *os.File) int { return recvfrom(f, 1, 0) }},
	{"recv with MSG_WAITALL", func(_ *testing.T, f *os.File) int { return recvfrom(f, 64, unix.MSG_WAITALL) }},
	{"read", func(_ *testing.T, f *os.File) int { n, _ := unix.Read(fd(f), make([]byte, 64)); return n }},
	{"readv", func(_ *testing.T, f *os.File) int {
		n, _ := unix.Readv(fd(f), [][]byte{make([]byte, 3), make([]byte, 61)})
		return n
	}},
	{"recvmsg", func(_ *testing.T, f *os.File) int {
		n, _, _, _, _ := unix.RecvmsgBuffers(fd(f), [][]byte{make([]byte, 3), make([]byte, 61)}, nil, 0)
		return n
	}},
	{"recvmsg, its first part empty", func(_ *testing.T, f *os.File) int { return recvmsg(f, 0, 64) }},
	{"splice", splice},
	{"io_uring recv", uringRecv},
}

func recvfrom(f *os.File, n, flags int) int {
	b := make([]byte, n+1)
	got, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd(f)), uintptr(unsafe.Pointer(&b[0])), uintptr(n), uintptr(flags), 0, 0)
	if errno != 0 {
		return -1
	}
	return int(got)
}

// recvmsg reads into parts of these sizes, which may be none at all.
func recvmsg(f *os.File, sizes ...int) int {
	var parts []unix.Iovec
	for _, n := range sizes {
		b := make([]byte, n+1)
		parts = append(parts, unix.Iovec{Base: &b[0], Len: uint64(n)})
	}
	m := unix.Msghdr{Iovlen: uint64(len(parts))}
	if len(parts) > 0 {
		m.Iov = &parts[0]
	}
	got, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd(f)), uintptr(unsafe.Pointer(&m)), 0)
	if errno != 0 {
		return -1
	}
	return int(got)
}

func splice(t *testing.T, f *os.File) int {
	var p [2]int
	must(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	n, err := unix.Splice(fd(f), nil, p[1], nil, 4096, 0)
	if err != nil {
		return -1
	}
	return int(n)
}

// uringRecv reads through io_uring, where the kernel has it.
func uringRecv(t *testing.T, f *os.File) int {
	r, err := newRing()
	if err != nil {
		privilege.Unsupported(t, "a read through io_uring", err)
	}
	defer r.close()
	return r.recv(fd(f), make([]byte, 64))
}

func TestEveryReadThatReturnsZeroIsSeenAndNoOther(t *testing.T) {
	s := start(t)
	for _, r := range readings {
		for _, row := range []struct {
			name   string
			queued int
		}{{"after data", 10}, {"with nothing before", 0}} {
			t.Run(r.name+", "+row.name, func(t *testing.T) {
				ours, peer := pair(t)
				if row.queued > 0 {
					send(t, peer, row.queued)
				}
				finish(t, ours, peer, false)
				for left := row.queued; left > 0; {
					n := r.read(t, ours)
					if n <= 0 {
						t.Fatalf("read %d", n)
					}
					left -= n
					// The FIN may be taken with the last byte (C2): that is no zero.
					if h := history(t, s, ours); h.Zeros != 0 || h.Zero != 0 {
						t.Fatalf("after a read of %d: %+v", n, h.History)
					}
				}
				before := sinceBoot()
				for i := range 3 {
					if n := r.read(t, ours); n != 0 {
						t.Fatalf("read %d, want the end", n)
					}
					h := history(t, s, ours)
					if int(h.Zeros) != i+1 || h.ZeroPID != int32(os.Getpid()) || h.ZeroStack == 0 {
						t.Errorf("after %d reads of zero: %+v", i+1, h.History)
					}
					if h.Zero < before || h.Zero > sinceBoot() {
						t.Errorf("zero at %v, want after %v", h.Zero, before)
					}
				}
			})
		}
	}
}

func TestWhatIsNoReadOfZeroIsNotSeen(t *testing.T) {
	s := start(t)
	for _, row := range []struct {
		name   string
		finish bool // the peer finishes first
		eaten  bool // and the FIN is consumed, with data
		peeked bool
		read   func(t *testing.T, f *os.File) int
	}{
		{name: "MSG_PEEK", finish: true, peeked: true, read: func(_ *testing.T, f *os.File) int { return recvfrom(f, 64, unix.MSG_PEEK) }},
		{name: "MSG_PEEK, the FIN consumed", finish: true, eaten: true, peeked: true,
			read: func(_ *testing.T, f *os.File) int { return recvfrom(f, 64, unix.MSG_PEEK) }},
		{name: "recv of no length", finish: true, read: func(_ *testing.T, f *os.File) int { return recvfrom(f, 0, 0) }},
		{name: "recv of no length, the FIN consumed", finish: true, eaten: true,
			read: func(_ *testing.T, f *os.File) int { return recvfrom(f, 0, 0) }},
		{name: "recvmsg without parts", finish: true, read: func(_ *testing.T, f *os.File) int { return recvmsg(f) }},
		{name: "recvmsg of empty parts", finish: true, eaten: true, read: func(_ *testing.T, f *os.File) int { return recvmsg(f, 0, 0) }},
		{name: "MSG_PEEK of no length", finish: true, read: func(_ *testing.T, f *os.File) int { return recvfrom(f, 0, unix.MSG_PEEK) }},
		{name: "SHUT_RD first", read: func(t *testing.T, f *os.File) int {
			must(t, unix.Shutdown(fd(f), unix.SHUT_RD))
			return recvfrom(f, 64, 0)
		}},
		{name: "SHUT_RD first, by splice", read: func(t *testing.T, f *os.File) int {
			must(t, unix.Shutdown(fd(f), unix.SHUT_RD))
			return splice(t, f)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			ours, peer := pair(t)
			if row.eaten {
				send(t, peer, 1)
			}
			if row.finish {
				finish(t, ours, peer, false)
			}
			if row.eaten && recvfrom(ours, 64, 0) != 1 {
				t.Fatal("no byte")
			}
			if n := row.read(t, ours); n != 0 {
				t.Fatalf("returned %d", n)
			}
			if h := history(t, s, ours); h.Zeros != 0 || h.Zero != 0 || h.Peeked != row.peeked {
				t.Errorf("%+v", h.History)
			}
		})
	}
}

// Exactly 64 KiB and the FIN, in one splice: what is compared must not wrap.
func TestASpliceOfAFullPipeIsNoZero(t *testing.T) {
	s := start(t)
	const most = 1 << 16
	ours, peer := pair(t)
	must(t, unix.SetsockoptInt(fd(ours), unix.SOL_SOCKET, unix.SO_RCVBUF, 4*most))
	send(t, peer, most)
	finish(t, ours, peer, false)
	var p [2]int
	must(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	_, err := unix.FcntlInt(uintptr(p[1]), unix.F_SETPIPE_SZ, 16*most)
	must(t, err)
	for got := int64(0); got < most; {
		n, err := unix.Splice(fd(ours), nil, p[1], nil, 16*most, 0)
		must(t, err)
		got += n
		if h := history(t, s, ours); h.Zeros != 0 {
			t.Fatalf("after %d bytes: %+v", got, h.History)
		}
	}
	if n := splice(t, ours); n != 0 {
		t.Fatalf("spliced %d", n)
	}
	if h := history(t, s, ours); h.Zeros != 1 {
		t.Errorf("%+v", h.History)
	}
}
