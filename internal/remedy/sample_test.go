package remedy

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	server = 2113 // a process of the samples
	ticks  = 77
)

// look is a snapshot at a time, with n old CLOSE_WAIT connections of the server's
// to 10.0.0.5:5000, the first with cookie 1.
func look(at time.Time, n int) *observe.Snapshot {
	s := &observe.Snapshot{
		Schema: observe.Schema, Host: observe.Host{Name: "web-3", BootID: "b"}, TakenAt: at, Reader: "bpf",
		Namespaces: []observe.Namespace{{ID: 1, Own: true, Entered: true, Sysctl: observe.Sysctl{
			FinTimeout: 60000, KeepaliveTime: 7200000, KeepaliveIntvl: 75000, KeepaliveProbes: 9, LocalPorts: [2]int{32768, 60999}}}},
		Processes: []observe.Process{{PID: server, StartTicks: ticks, Comm: "apache2", Exe: "/usr/sbin/apache2", Cmdline: []string{"(wsgi:horizon)"},
			OpenFiles: 40 + n, NoFileSoft: 1024, NoFileHard: 4096}},
	}
	for i := range n {
		s.Sockets = append(s.Sockets, stuckSocket(i))
	}
	return s
}

func stuckSocket(i int) observe.Socket {
	return observe.Socket{
		NetNS: 1, Inode: uint64(100 + i), Cookie: uint64(i + 1), State: tcp.CloseWait, RecvQ: 1,
		Local: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.7"), uint16(40000+i)), Remote: netip.MustParseAddrPort("10.0.0.5:5000"),
		Holders: []observe.Holder{{PID: server, FD: int32(10 + i)}}, Options: &observe.Options{},
		Info: &observe.Info{LastDataSent: 900000, LastDataRecv: 900000, LastAckRecv: observe.Millis(900000 - 1000*i), BytesReceived: 4001,
			BytesSent: 300, BytesAcked: 301, SegsIn: 9, DataSegsIn: 4, DataSegsOut: 1},
	}
}

// planFor plans for one look.
func planFor(s *observe.Snapshot, o Options) *Plan {
	return Make(nil, s, diagnose.Diagnose(nil, s, diagnose.Options{Sockets: true}), o)
}

// stillClock stands still, but for those who wait.
type stillClock struct{ now time.Time }

func (c *stillClock) Now() time.Time { return c.now }

func (c *stillClock) Wait(ctx context.Context, d time.Duration) error {
	c.now = c.now.Add(d)
	return ctx.Err()
}

// fakeHand does what its functions say. It stands for a kernel that refuses, or
// that is slow to end what was shut down.
type fakeHand struct {
	act   func(a *Act) (Change, error)
	look  func(a *Act) (Sight, error)
	held  bool
	acted []uint64
}

func (h *fakeHand) do(a *Act) (Change, error) {
	if a.Socket != nil {
		h.acted = append(h.acted, a.Socket.Cookie)
	}
	return h.act(a)
}

func (h *fakeHand) KeepAlive(_ context.Context, a *Act) (Change, error) { return h.do(a) }
func (h *fakeHand) Shutdown(_ context.Context, a *Act) (Change, error)  { return h.do(a) }
func (h *fakeHand) Destroy(_ context.Context, a *Act) (Change, error)   { return h.do(a) }
func (h *fakeHand) Raise(_ context.Context, a *Act) (Change, error)     { return h.do(a) }
func (h *fakeHand) Look(_ context.Context, a *Act) (Sight, error)       { return h.look(a) }
func (h *fakeHand) Held(*Act) (held, known bool)                        { return h.held, true }
func (h *fakeHand) OpenFiles(pid int, start uint64) (int, bool) {
	return 40, pid == server && start == ticks
}

func refusing(k Kind, why string) error { return &Refusal{Kind: k, Err: fmt.Errorf("%s", why)} }
