package diagnose

import (
	"strconv"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/observe"
)

// manyStuck has n CLOSE_WAIT sockets in six processes, as the reader orders them.
func manyStuck(n int) *world {
	w := newWorld()
	for i := range 5 {
		w.process(200+i, "/opt/app/bin/app")
	}
	pids := []int32{appPID, 200, 201, 202, 203, 204}
	w.Sockets = make([]observe.Socket, 0, n)
	for i := range n {
		age := float64(i) / 10
		w.add(recvQ(1), quiet(20000, 20000, age), heldBy(pids[i*len(pids)/n]), func(s *observe.Socket) {
			s.Local, s.Remote = localEnd(i), remoteEnd(i)
		})
	}
	return w
}

// BenchmarkDiagnose: the target is 40 ms and 30 MB for 100,000 sockets.
func BenchmarkDiagnose(b *testing.B) {
	for _, n := range []int{1000, 10000, 100000} {
		w := manyStuck(n)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Diagnose(nil, &w.Snapshot, Options{})
			}
		})
	}
	w := manyStuck(100000)
	later := w.later(5 * time.Second)
	b.Run("100000 in two looks", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Diagnose(&w.Snapshot, &later.Snapshot, Options{})
		}
	})
}
