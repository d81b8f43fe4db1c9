//go:build linux

package sockdiag

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/testbed"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/tcp"
)

// message makes a whole netlink message.
func message(typ, flags uint16, seq uint32, payload []byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(messageHeader+len(payload)))
	b = binary.NativeEndian.AppendUint16(b, typ)
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = binary.NativeEndian.AppendUint32(b, seq)
	b = binary.NativeEndian.AppendUint32(b, 1234) // port
	b = append(b, payload...)
	return append(b, make([]byte, align4(len(b))-len(b))...)
}

// row and done are what the fake kernel says; intr sets NLM_F_DUMP_INTR.
func row(seq uint32, cookie uint64, intr bool) []byte {
	return message(typeByFamily, 2|flag(intr), seq, tcpRow{family: IPv4, state: tcp.CloseWait, cookie: cookie}.payload())
}

func done(seq uint32, intr bool, errno int32) []byte {
	return message(typeDone, 2|flag(intr), seq, binary.NativeEndian.AppendUint32(nil, uint32(-errno)))
}

func flag(intr bool) uint16 {
	if intr {
		return flagDumpInterrupted
	}
	return 0
}

// fakeLink answers each request with the next script. A nil datagram is an
// ENOBUFS. The running kernel does not interrupt dumps of sockets on demand,
// nor does it send nonsense.
type fakeLink struct {
	scripts [][][]byte // per request, made for sequence numbers 1, 2, …
	seq     uint32
	queue   [][]byte
	closed  bool
}

func (f *fakeLink) send(_, _ uint16, _ []byte) (uint32, error) {
	if len(f.scripts) == 0 {
		return 0, errors.New("one request too many")
	}
	f.queue = append(f.queue, f.scripts[0]...)
	f.scripts = f.scripts[1:]
	f.seq++
	return f.seq, nil
}

func (f *fakeLink) recv(buf []byte) (int, error) {
	if len(f.queue) == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	d := f.queue[0]
	f.queue = f.queue[1:]
	if d == nil {
		return 0, unix.ENOBUFS
	}
	return copy(buf, d), nil
}

func (f *fakeLink) wake(bool) {}

func (f *fakeLink) close() error { f.closed = true; return nil }

// gram joins messages into one datagram.
func gram(messages ...[]byte) []byte { return bytes.Join(messages, nil) }

func TestTornDumpIsRepeated(t *testing.T) {
	whole := func(seq uint32) [][]byte {
		return [][]byte{gram(row(seq, 1, false), row(seq, 2, false)), done(seq, false, 0)}
	}
	torn := func(seq uint32) [][]byte { return [][]byte{row(seq, 7, false), row(seq, 8, true), done(seq, true, 0)} }
	for _, test := range []struct {
		name    string
		scripts [][][]byte
		nilHook bool
		want    []uint64
		tries   int
		torn    bool
	}{
		{"whole at once", [][][]byte{whole(1)}, false, []uint64{1, 2}, 1, false},
		{"torn, then whole", [][][]byte{torn(1), whole(2)}, false, []uint64{1, 2}, 2, false},
		{"torn thrice, then whole", [][][]byte{torn(1), torn(2), torn(3), whole(4)}, false, []uint64{1, 2}, 4, false},
		{"torn for ever", [][][]byte{torn(1), torn(2), torn(3), torn(4)}, false, []uint64{7, 8}, 4, true},
		{"torn, not to be repeated", [][][]byte{torn(1)}, true, []uint64{7, 8}, 1, true},
		{"torn only at the end", [][][]byte{{row(1, 7, false), done(1, true, 0)}, whole(2)}, false, []uint64{1, 2}, 2, false},
		{"a lost datagram", [][][]byte{{row(1, 7, false), nil, done(1, false, 0)}, whole(2)}, false, []uint64{1, 2}, 2, false},
		{"overrun", [][][]byte{{message(typeOverrun, 0, 1, nil), done(1, false, 0)}, whole(2)}, false, []uint64{1, 2}, 2, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &Conn{link: &fakeLink{scripts: test.scripts}, buf: make([]byte, bufferSize)}
			var got []uint64
			restart := func() { got = nil }
			if test.nilHook {
				restart = nil
			}
			stats, err := c.Dump(t.Context(), Query{}, func(r *Row) error { got = append(got, r.Cookie); return nil }, restart)
			must(t, "dump", err)
			if !slices.Equal(got, test.want) || stats.Tries != test.tries || stats.Torn != test.torn || stats.Rows != len(test.want) {
				t.Errorf("rows %v, %+v; want %v", got, stats, test)
			}
		})
	}
}

func TestRepeatedRowsAreDropped(t *testing.T) {
	script := [][]byte{
		gram(row(1, 1, false), row(1, 2, false), row(1, 3, false)),
		gram(row(1, 2, false), row(1, 3, false), row(1, 4, false), row(1, 0, false)),
		gram(row(1, 0, false), row(1, 5, false)), // cookie 0 names nothing
		done(1, false, 0),
	}
	c := &Conn{link: &fakeLink{scripts: [][][]byte{script}}, buf: make([]byte, bufferSize)}
	var got []uint64
	stats, err := c.Dump(t.Context(), Query{}, func(r *Row) error { got = append(got, r.Cookie); return nil }, nil)
	must(t, "dump", err)
	if want := []uint64{1, 2, 3, 4, 0, 0, 5}; !slices.Equal(got, want) || stats.Repeated != 2 {
		t.Errorf("rows %v, %+v; want %v", got, stats, want)
	}
}

func TestNonsenseIsAnError(t *testing.T) {
	short := message(typeByFamily, 2, 1, make([]byte, 10))
	for name, script := range map[string][][]byte{
		"short row":                 {short},
		"message beyond datagram":   {row(1, 1, false)[:60]},
		"trailing bytes":            {append(row(1, 1, false), 1, 2, 3)},
		"nothing, and then silence": {{}},
	} {
		c := &Conn{link: &fakeLink{scripts: [][][]byte{script}}, buf: make([]byte, bufferSize)}
		_, err := c.Dump(t.Context(), Query{}, func(*Row) error { return nil }, nil)
		if own, ok := errors.AsType[*Error](err); !ok || own.Op != "dump" {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

func TestKernelsRefusal(t *testing.T) {
	for _, typ := range []uint16{typeDone, typeError} {
		errno := int32(unix.EPERM)
		script := [][]byte{message(typ, 0, 1, binary.NativeEndian.AppendUint32(nil, uint32(-errno)))}
		c := &Conn{link: &fakeLink{scripts: [][][]byte{script}}, buf: make([]byte, bufferSize)}
		_, err := c.Dump(t.Context(), Query{}, func(*Row) error { return nil }, nil)
		if !errors.Is(err, os.ErrPermission) || !errors.Is(err, syscall.EPERM) {
			t.Errorf("message type %d: error is %v", typ, err)
		}
	}
}

// TestUnknownProtocol asks the real kernel.
func TestUnknownProtocol(t *testing.T) {
	for _, family := range []Family{Both, IPv4, IPv6} {
		_, err := dial(t).Dump(t.Context(), Query{Family: family, Protocol: 200}, func(*Row) error { return nil }, nil)
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("family %d: error is %v", family, err)
		}
	}
}

// crowd makes n connections whose server ends are in CLOSE_WAIT, never accepted.
// It returns the last listener: one for each 4096, the usual net.core.somaxconn.
func crowd(t testing.TB, n int) (listener int) {
	t.Helper()
	v := variants()[0]
	l := v.listen(t, 0, 4096)
	for i := range n {
		if i > 0 && i%4096 == 0 {
			l = v.listen(t, 0, 4096)
		}
		shutdown(t, v.connect(t, 0, l), unix.SHUT_WR)
	}
	return l
}

// TestAbandonedDump: a Conn is good again after a callback or a context ended a
// dump in the middle.
func TestAbandonedDump(t *testing.T) {
	l := crowd(t, 500) // more than one datagram
	conn := dial(t)
	q := Query{States: States(tcp.CloseWait), Local: local(t, l), Info: true}
	stop := errors.New("enough")
	_, err := conn.Dump(t.Context(), q, func(*Row) error { return stop }, nil)
	if own, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, stop) || own.Op != "dump" {
		t.Errorf("error is %v", err)
	}
	if conn.left == 0 {
		t.Error("the dump was read to its end: this test shows nothing")
	}
	if n := len(dump(t, conn, q)); n != 500 {
		t.Errorf("%d rows after a callback's error, want 500", n)
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	_, err = conn.Dump(ctx, q, func(*Row) error { cancel(stop); return nil }, nil)
	if !errors.Is(err, stop) {
		t.Errorf("error is %v", err)
	}
	if n := len(dump(t, conn, q)); n != 500 {
		t.Errorf("%d rows after a cancelled dump, want 500", n)
	}
	if _, err = conn.Dump(ctx, q, func(*Row) error { return nil }, nil); !errors.Is(err, stop) {
		t.Errorf("with a dead context the error is %v", err)
	}
}

// TestCancelWakesBlockedRead: no read waits longer than its context.
func TestCancelWakesBlockedRead(t *testing.T) {
	conn := dial(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	ended := conn.watch(ctx)
	var r Row
	err := ended(conn.answer(ctx, 1, &r)) // nothing was asked
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	dump(t, conn, Query{})
}

func TestClosedConn(t *testing.T) {
	conn, err := Dial(-1)
	must(t, "dial", err)
	must(t, "close", conn.Close())
	if _, err := conn.Dump(t.Context(), Query{}, func(*Row) error { return nil }, nil); !errors.Is(err, os.ErrClosed) && !errors.Is(err, unix.EBADF) {
		t.Errorf("error is %v", err)
	}
}

// TestDialOtherNamespace: a Conn shows the namespace it was dialled in, and that
// only.
func TestDialOtherNamespace(t *testing.T) {
	mine := crowd(t, 1)
	ns, theirs := strangeNamespace(t)
	conn, err := Dial(int(ns.Fd()))
	must(t, "dial", err)
	defer conn.Close()
	rows := dump(t, conn, Query{})
	if len(rows) != 1 || rows[0].Cookie != cookie(t, theirs) || rows[0].State != tcp.Listen {
		t.Errorf("rows are %+v, want the one listener", rows)
	}
	got := cookies(dump(t, dial(t), Query{}))
	if slices.Contains(got, cookie(t, theirs)) || !slices.Contains(got, cookie(t, mine)) {
		t.Error("the own namespace shows the strange listener, or not its own")
	}
}

// strangeNamespace makes a network namespace with one listener in it.
func strangeNamespace(t *testing.T) (ns *os.File, listener int) {
	t.Helper()
	testbed.Unshare(t, func() (err error) {
		if ns, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		t.Cleanup(func() { _ = ns.Close() })
		if listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		t.Cleanup(func() { _ = unix.Close(listener) })
		return unix.Listen(listener, 5)
	})
	return ns, listener
}

func TestDialNoNamespace(t *testing.T) {
	null, err := os.Open("/dev/null")
	must(t, "open", err)
	defer null.Close()
	_, err = Dial(int(null.Fd()))
	if own, ok := errors.AsType[*Error](err); !ok || own.Op != "dial" {
		t.Errorf("error is %v", err)
	}
}

// BenchmarkDump reads n real sockets in CLOSE_WAIT; per-row figures are metrics.
func BenchmarkDump(b *testing.B) {
	for _, n := range []int{0, 1000, 18_000} {
		if n > 1000 && testing.Short() {
			continue
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			conn := dial(b)
			raiseFileLimit(b)
			crowd(b, n)
			for _, q := range []struct {
				name string
				q    Query
			}{
				{"info", Query{States: States(tcp.CloseWait), Info: true}},
				{"bare", Query{States: States(tcp.CloseWait)}},
				{"kernel", Query{States: States(tcp.CloseWait), Info: true}},
			} {
				b.Run(q.name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						rows := 0
						var err error
						if q.name == "kernel" {
							err = drainOnly(conn, q.q)
						} else {
							_, err = conn.Dump(context.Background(), q.q, func(*Row) error { rows++; return nil }, nil)
						}
						must(b, "dump", err)
					}
					if n > 0 {
						b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/row")
					}
				})
			}
		})
	}
}

// drainOnly is the kernel's part of a dump: nothing is decoded but its end.
func drainOnly(c *Conn, q Query) (err error) {
	typ, payload := q.request()
	if c.left, err = c.link.send(typ, flagRequest|flagDump, payload); err != nil {
		return err
	}
	return c.drain(context.Background())
}

func raiseFileLimit(b *testing.B) {
	var lim unix.Rlimit
	must(b, "getrlimit", unix.Getrlimit(unix.RLIMIT_NOFILE, &lim))
	if lim.Cur = lim.Max; lim.Max < 20_000 {
		privilege.Unsupported(b, "dumps of many sockets", fmt.Errorf("RLIMIT_NOFILE allows %d descriptors", lim.Max))
	}
	must(b, "setrlimit", unix.Setrlimit(unix.RLIMIT_NOFILE, &lim))
}
