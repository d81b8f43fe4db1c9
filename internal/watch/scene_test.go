package watch

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// noon is when every scene begins.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const (
	interval = 2 * time.Second
	grace    = time.Minute
)

// scene is a host over time: sockets come, change and go between looks.
type scene struct {
	t       *testing.T
	journal *Journal
	now     time.Time
	prev    *observe.Snapshot
	alive   map[int]bool
	limits  []observe.Limit
	filter  diagnose.Filter
	history map[uint64]*observe.History // by cookie
	report  *diagnose.Report
}

func newScene(t *testing.T, o Options) *scene {
	return &scene{t: t, journal: NewJournal(o), now: noon, alive: map[int]bool{7: true, 8: true}}
}

// look takes a look at these sockets and returns what it told.
func (s *scene) look(sockets ...observe.Socket) []Event {
	s.t.Helper()
	snap := &observe.Snapshot{
		Schema: observe.Schema, Host: observe.Host{Name: "web-3", BootID: "b"}, TakenAt: s.now, Reader: "bpf", Limits: s.limits,
		Namespaces: []observe.Namespace{{ID: 1, Own: true, Entered: true}},
		Processes: []observe.Process{
			{PID: 7, Comm: "horizon", StartTicks: 70}, {PID: 8, Comm: "nginx", StartTicks: 80},
		},
		Sockets: sockets,
	}
	if s.history != nil {
		snap.Sensor = &observe.Sensor{Since: noon, Stacks: []observe.Stack{{PID: 7, Frames: []observe.Frame{
			{Function: "connect"}, {Function: "connect_all", Tells: true}}}}}
	}
	for i := range snap.Sockets {
		snap.Sockets[i].History = s.history[snap.Sockets[i].Cookie]
	}
	s.report = diagnose.Diagnose(s.prev, snap, diagnose.Options{Grace: grace, Sockets: true, Filter: s.filter})
	s.prev = snap
	events := s.journal.Look(Look{
		Snapshot: snap, Report: s.report,
		Alive: func(pid int, ticks uint64) bool { return s.alive[pid] && ticks == uint64(pid*10) },
	})
	s.now = s.now.Add(interval)
	return events
}

// conn is a connection to 10.0.0.5:5000, held by pid 7, half-closed since a moment
// and not read since.
func (s *scene) conn(cookie uint64, state tcp.State, recvQ uint32, fin time.Time) observe.Socket {
	since := observe.Millis(max(0, s.now.Sub(fin).Milliseconds()))
	return observe.Socket{
		NetNS: 1, Inode: 1000 + cookie, Cookie: cookie, State: state, RecvQ: recvQ,
		Local: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.4"), uint16(40000+cookie)), Remote: netip.MustParseAddrPort("10.0.0.5:5000"),
		Info:    &observe.Info{LastAckRecv: since, LastDataRecv: since + 9000, LastDataSent: since + 9000, BytesReceived: 11, SegsIn: 3, BytesSent: 5},
		Holders: []observe.Holder{{PID: 7, FD: int32(cookie)}},
	}
}

// dead is what is left of it: a descriptor.
func (s *scene) dead(cookie uint64) observe.Socket {
	x := s.conn(cookie, tcp.Closed, 0, s.now)
	x.Remote = netip.AddrPort{}
	return x
}

// kinds are the events' kinds and ends in short: "masked:reset(likely)".
func kinds(events []Event) string {
	var all []string
	for _, e := range events {
		text := string(e.Kind)
		if e.End != "" {
			text += ":" + string(e.End)
		}
		if e.Confidence != "" {
			text += "(" + string(e.Confidence) + ")"
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

func (s *scene) want(events []Event, want string) {
	s.t.Helper()
	if got := kinds(events); got != want {
		s.t.Errorf("told %q, want %q; in full %+v", got, want, events)
	}
}

func key(cookie uint64) observe.Key { return observe.Key{NetNS: 1, Cookie: cookie} }
