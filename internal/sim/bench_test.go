package sim

import (
	"sync"
	"testing"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// million plays n connections from open to close between two hosts, some
// thousand at a time, TIME-WAIT included.
func million(tb testing.TB, n int) {
	const batch = 8192
	client := NewHost("client", clientAddr, model.Linux())
	server := NewHost("server", serverAddr, model.Linux())
	l := server.Socket()
	if server.Bind(l, 80) != model.OK || server.Listen(l, batch) != model.OK {
		tb.Error("can not listen")
		return
	}
	now := model.Epoch
	var queue, next []Packet
	pass := func(out []Packet) {
		queue = append(queue[:0], out...)
		for len(queue) > 0 {
			next = next[:0]
			for _, p := range queue {
				to := client
				if p.To.Addr() == serverAddr {
					to = server
				}
				next = append(next, to.Deliver(now, p)...)
			}
			queue, next = next, queue
		}
	}
	do := func(h *Host, fd FD, e model.Event) model.Result {
		res, out := h.Call(now, fd, e)
		pass(out)
		return res
	}
	var fds [batch]FD
	for done := 0; done < n; done += batch {
		size := min(batch, n-done)
		for i := range size {
			fds[i] = client.Socket()
			_, out := client.Connect(now, fds[i], service)
			pass(out)
		}
		for i := range size {
			s, err := server.Accept(now, l)
			if err != model.OK {
				tb.Error("accept:", err)
				return
			}
			do(client, fds[i], model.Write(300))
			do(server, s, model.Read(1000))
			do(server, s, model.Write(700))
			do(client, fds[i], model.Read(1000))
			do(client, fds[i], model.Close())
			if !do(server, s, model.Read(1000)).EOF() {
				tb.Error("no end of the stream")
				return
			}
			do(server, s, model.Close())
		}
		now += 2 * model.Minute
		pass(client.Tick(now))
		pass(server.Tick(now))
	}
	if left := len(client.Sockets()); left != 0 {
		tb.Errorf("%d connections are left", left)
	}
}

func TestManyConnectionsLeaveNothing(t *testing.T) { million(t, 20_000) }

// One operation is 20,000 connections on each of two cores; a million takes 25
// times as long.
func BenchmarkTwoCoresManyConnections(b *testing.B) {
	const each = 20_000
	for b.Loop() {
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() { million(b, each) })
		}
		both.Wait()
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)*1e6/(2*each), "s/million")
}

func BenchmarkDeliver(b *testing.B) {
	h := NewHost("server", serverAddr, model.Linux())
	l := h.Socket()
	if h.Bind(l, 80) != model.OK || h.Listen(l, 1) != model.OK {
		b.Fatal("can not listen")
	}
	from := service
	syn := Packet{From: from, To: service, Segment: tcp.Segment{Seq: 1, Flags: tcp.SYN, Window: 4000, MSS: 1460}}
	h.Deliver(1, syn)
	bare := Packet{From: from, To: service, Segment: tcp.Segment{Seq: 2, Ack: 1, Flags: tcp.ACK, Window: 4000}}
	b.ReportAllocs()
	for b.Loop() {
		h.Deliver(1, bare)
	}
}
