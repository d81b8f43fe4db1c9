//go:build linux

package bpfiter

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/testbed"
)

// perProcess is how many connections a child opens at most: RLIMIT_NOFILE may
// be no more than 20,000.
const perProcess = 17_000

// closeWaits makes n CLOSE_WAIT sockets in ns, held by as few children as it
// takes. Each child connects to a loopback address of its own, so that local
// ports do not run out.
func closeWaits(t testing.TB, ns *namespace, n int) {
	t.Helper()
	for child := 0; n > 0; child++ {
		share := min(n, perProcess)
		ns.do(t, func() error {
			l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.%d:0", child+1))
			if err != nil {
				return err
			}
			defer l.Close()
			closed := make(chan error, 1)
			go func() { closed <- acceptAndClose(l, share) }()
			testbed.Start(t, "connect", l.Addr().String(), strconv.Itoa(share)).Ready()
			return <-closed
		})
		n -= share
	}
}

func acceptAndClose(l net.Listener, n int) error {
	for range n {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		c.Close()
	}
	return nil
}

func BenchmarkOwned(b *testing.B) {
	for _, n := range []int{1_000, 20_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := open(b, Options{Window: time.Minute})
			closeWaits(b, newNamespace(b), n)
			b.ReportAllocs()
			for b.Loop() {
				count := 0
				if err := r.Owned(func(*Record) error { count++; return nil }); err != nil {
					b.Fatal(err)
				}
				if count < n {
					b.Fatalf("read %d records, want at least %d", count, n)
				}
			}
		})
	}
}

func BenchmarkUnowned(b *testing.B) {
	for _, n := range []int{0, 1_000, 20_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := open(b, Options{})
			ns := newNamespace(b)
			closeWaits(b, ns, n)
			ns.do(b, func() error {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := r.Unowned(func(*Record) error { return nil }); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		r, err := Open(Options{})
		if err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}

func BenchmarkDecode(b *testing.B) {
	stream := bytes.Repeat(encodeSocket(familyIPv4), 178) // as much as one read returns
	for b.Loop() {
		if err := decodeAll(bytes.NewReader(stream), 32<<10, 250, "bench", func(*Record) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/178, "ns/record")
}
