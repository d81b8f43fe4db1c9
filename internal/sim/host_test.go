package sim

import (
	"net/netip"
	"testing"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// wire joins two hosts for tests: packets arrive at once and in order, unless
// lose says otherwise.
type wire struct {
	t      *testing.T
	client *Host
	server *Host
	now    model.Time
	lose   func(Packet) bool
	seen   []Packet
}

var (
	clientAddr = netip.MustParseAddr("192.0.2.1")
	serverAddr = netip.MustParseAddr("192.0.2.2")
	service    = netip.AddrPortFrom(serverAddr, 80)
)

func newWire(t *testing.T, client, server model.Profile) *wire {
	t.Helper()
	return &wire{
		t: t, now: model.Epoch,
		client: NewHost("client", clientAddr, client),
		server: NewHost("server", serverAddr, server),
	}
}

// pass carries packets, and what they give rise to, until all is quiet.
func (w *wire) pass(packets []Packet) {
	w.t.Helper()
	queue := append([]Packet(nil), packets...)
	for n := 0; len(queue) > 0; n++ {
		if n > 10_000 {
			w.t.Fatal("the hosts never fall silent")
		}
		p := queue[0]
		queue = queue[1:]
		w.seen = append(w.seen, p)
		if w.lose != nil && w.lose(p) {
			continue
		}
		to := w.client
		if p.To.Addr() == serverAddr {
			to = w.server
		}
		queue = append(queue, to.Deliver(w.now, p)...)
	}
}

// wait lets time pass, timer by timer.
func (w *wire) wait(d model.Time) {
	w.t.Helper()
	until := w.now + d
	for n := 0; ; n++ {
		if n > 100_000 {
			w.t.Fatal("timers never stop")
		}
		next := until
		for _, h := range []*Host{w.client, w.server} {
			if at, on := h.NextDeadline(); on && at < next {
				next = at
			}
		}
		w.now = max(w.now, next)
		w.pass(w.client.Tick(w.now))
		w.pass(w.server.Tick(w.now))
		if next >= until {
			return
		}
	}
}

func (w *wire) listen(backlog int) FD {
	w.t.Helper()
	fd := w.server.Socket()
	if err := w.server.Bind(fd, 80); err != model.OK {
		w.t.Fatal("bind:", err)
	}
	if err := w.server.Listen(fd, backlog); err != model.OK {
		w.t.Fatal("listen:", err)
	}
	return fd
}

func (w *wire) connect() FD {
	w.t.Helper()
	fd := w.client.Socket()
	res, out := w.client.Connect(w.now, fd, service)
	if res.Err != model.EINPROGRESS {
		w.t.Fatal("connect:", res.Err)
	}
	w.pass(out)
	return fd
}

func (w *wire) accept(l FD) FD {
	w.t.Helper()
	fd, err := w.server.Accept(w.now, l)
	if err != model.OK {
		w.t.Fatal("accept:", err)
	}
	return fd
}

// pair is a connection with an application at both ends.
func (w *wire) pair() (client, server FD) {
	w.t.Helper()
	l := w.listen(8)
	client = w.connect()
	return client, w.accept(l)
}

func (w *wire) call(h *Host, fd FD, e model.Event) model.Result {
	w.t.Helper()
	res, out := h.Call(w.now, fd, e)
	w.pass(out)
	return res
}

func (w *wire) wantState(h *Host, fd FD, want tcp.State) {
	w.t.Helper()
	c, ok := h.Conn(fd)
	if !ok || c.State() != want {
		w.t.Errorf("%s's connection is in %v, want %v", h.Name, c.State(), want)
	}
}

func (w *wire) wantRead(h *Host, fd FD, want model.Result) {
	w.t.Helper()
	got := w.call(h, fd, model.Read(1000))
	if got.N != want.N || got.Err != want.Err || (want == eof) != got.EOF() {
		w.t.Errorf("%s reads %d, %v, EOF %v; want %+v", h.Name, got.N, got.Err, got.EOF(), want)
	}
}

var eof = model.Result{}

func TestOneLifeFromOpenToClose(t *testing.T) {
	for _, p := range model.Profiles() {
		t.Run(p.Name, func(t *testing.T) {
			w := newWire(t, p, p)
			c, s := w.pair()
			w.wantState(w.client, c, tcp.Established)
			w.wantState(w.server, s, tcp.Established)
			if res := w.call(w.client, c, model.Write(5000)); res.N != 5000 {
				t.Fatal("write:", res)
			}
			w.wait(model.Second)
			for range 5 {
				w.wantRead(w.server, s, model.Result{N: 1000})
			}
			w.wantRead(w.server, s, model.Result{Err: model.EAGAIN})
			flow, _ := w.client.Flow(c)
			w.call(w.client, c, model.Close())
			w.wantState(w.server, s, tcp.CloseWait)
			w.wantRead(w.server, s, eof)
			if conn, ok := w.client.Find(flow); !ok || conn.State() != tcp.FinWait2 {
				t.Errorf("the client is in %v", conn.State())
			}
			w.call(w.server, s, model.Close())
			if conn, ok := w.client.Find(flow); !ok || conn.State() != tcp.TimeWait {
				t.Errorf("the client is in %v", conn.State())
			}
			w.wait(5 * model.Minute)
			if rows := w.client.Sockets(); len(rows) != 0 {
				t.Errorf("left at the client: %+v", rows)
			}
			if rows := w.server.Sockets(); len(rows) != 1 {
				t.Errorf("left at the server: %+v", rows)
			}
		})
	}
}
