package diagnose

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// The small world of these tests: one namespace, one program "app" (pid 100) that
// talks from 10.0.0.1 to the service 10.0.0.5:5000 and may listen on port 8080.
const (
	own     = 4026531840 // the namespace's inode number
	appPID  = 100
	service = "10.0.0.5:5000"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world builds a snapshot.
type world struct {
	observe.Snapshot
	made int
}

func newWorld() *world {
	w := new(world)
	w.Schema, w.TakenAt, w.Reader = observe.Schema, noon, "bpf"
	w.Host = observe.Host{Name: "h", Kernel: "6.18", BootID: "boot-1"}
	w.Namespaces = []observe.Namespace{{ID: own, Own: true, Entered: true}}
	w.process(appPID, "/opt/app/bin/app")
	return w
}

// process adds a process that runs exe, and returns it for more.
func (w *world) process(pid int, exe string, args ...string) *observe.Process {
	w.Processes = append(w.Processes, observe.Process{
		PID: pid, Comm: exe[strings.LastIndexByte(exe, '/')+1:], Exe: exe, Cmdline: append([]string{exe}, args...),
		StartTicks: uint64(pid), NetNS: own, OpenFiles: 50, NoFileSoft: 1024, Threads: 1,
	})
	return &w.Processes[len(w.Processes)-1]
}

// edit changes one thing about a socket.
type edit func(*observe.Socket)

// add puts a socket into the world: in CLOSE_WAIT for ten minutes, outbound to
// the service, idle for an hour before, everything read, owned by app.
func (w *world) add(edits ...edit) *observe.Socket {
	w.made++
	s := observe.Socket{
		NetNS: own, Inode: uint64(5000 + 100*w.made), Cookie: uint64(w.made), State: tcp.CloseWait, UID: 1000,
		Local:  netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(32768+w.made%28000)),
		Remote: netip.MustParseAddrPort(service),
		Info: &observe.Info{
			LastDataSent: sec(3700), LastDataRecv: sec(3650), LastAckRecv: sec(600), RTO: 204,
			BytesReceived: 1001, BytesSent: 100, BytesAcked: 101, SegsIn: 9, DataSegsIn: 3, DataSegsOut: 2,
		},
		Holders: []observe.Holder{{PID: appPID, FD: int32(10 * w.made)}},
	}
	for _, e := range edits {
		e(&s)
	}
	w.Sockets = append(w.Sockets, s)
	return &w.Sockets[len(w.Sockets)-1]
}

func (w *world) addMany(n int, edits ...edit) {
	for range n {
		w.add(edits...)
	}
}

// listen adds a LISTEN socket; the addresses of others do not matter to it.
func (w *world) listen(at string, queue, backlog uint32, pid int32) *observe.Socket {
	s := w.add(func(s *observe.Socket) {
		s.State, s.Local, s.Remote, s.Info = tcp.Listen, netip.MustParseAddrPort(at), netip.AddrPort{}, nil
		s.RecvQ, s.SendQ = queue, backlog
		s.Holders = []observe.Holder{{PID: pid, FD: 3}}
	})
	return s
}

func (w *world) limit(code observe.LimitCode) {
	w.Limits = append(w.Limits, observe.Limit{Code: code, Text: string(code)})
}

// later returns the same world some time on: what the kernel counts up is
// counted up.
func (w *world) later(d time.Duration) *world {
	next := &world{Snapshot: w.Snapshot, made: w.made + 1000}
	next.TakenAt = w.TakenAt.Add(d)
	next.Namespaces = append([]observe.Namespace(nil), w.Namespaces...)
	next.Processes = append([]observe.Process(nil), w.Processes...)
	next.Sockets = append([]observe.Socket(nil), w.Sockets...)
	for i := range next.Sockets {
		if s := &next.Sockets[i]; s.Info != nil {
			info := *s.Info
			ms := observe.Millis(d / time.Millisecond)
			info.LastDataSent, info.LastDataRecv, info.LastAckRecv = info.LastDataSent+ms, info.LastDataRecv+ms, info.LastAckRecv+ms
			s.Info = &info
		}
	}
	return next
}

func sec(n float64) observe.Millis { return observe.Millis(n * 1000) }

func recvQ(n uint32) edit { return func(s *observe.Socket) { s.RecvQ = n } }
func sendQ(n uint32) edit { return func(s *observe.Socket) { s.SendQ = n } }

func state(st tcp.State) edit { return func(s *observe.Socket) { s.State = st } }

func timer(k observe.TimerKind, expires float64, retries uint8) edit {
	return func(s *observe.Socket) { s.Timer = observe.Timer{Kind: k, Expires: sec(expires), Retries: retries} }
}

// quiet sets the seconds since data was sent, data came, and an ACK came.
func quiet(sent, recv, ack float64) edit {
	return func(s *observe.Socket) {
		s.Info.LastDataSent, s.Info.LastDataRecv, s.Info.LastAckRecv = sec(sent), sec(recv), sec(ack)
	}
}

// carried sets what was received (the FIN counts) and sent.
func carried(received, sent uint64) edit {
	return func(s *observe.Socket) {
		s.Info.BytesReceived, s.Info.BytesSent, s.Info.BytesAcked = received, sent, sent
	}
}

func heldBy(pids ...int32) edit {
	return func(s *observe.Socket) {
		fd := s.Holders
		s.Holders = nil
		for i, pid := range pids {
			h := observe.Holder{PID: pid, FD: int32(10*s.Cookie) + int32(i)}
			if len(fd) > 0 {
				h.FD = fd[0].FD
			}
			s.Holders = append(s.Holders, h)
		}
	}
}

func noHolder(s *observe.Socket)  { s.Holders = nil }
func noFile(s *observe.Socket)    { s.Holders, s.Inode = nil, 0 }
func noInfo(s *observe.Socket)    { s.Info = nil }
func noCookie(s *observe.Socket)  { s.Cookie = 0 }
func multipath(s *observe.Socket) { s.MPTCP = true }

// deadMultipath keeps no segment count: its subflow forgot it.
func deadMultipath(s *observe.Socket) {
	s.MPTCP, s.Connected, s.State, s.Info.SegsIn = true, true, tcp.Closed, 0
}

func fallback(s *observe.Socket) { s.MPTCP, s.Fallback = true, true }

func local(addr string) edit {
	return func(s *observe.Socket) { s.Local = netip.MustParseAddrPort(addr) }
}

func remote(addr string) edit {
	return func(s *observe.Socket) { s.Remote = netip.MustParseAddrPort(addr) }
}

// toPort makes it a connection that a client opened to port 8080 of this host.
func toPort(s *observe.Socket) {
	s.Remote = netip.AddrPortFrom(netip.MustParseAddr("192.0.2.7"), s.Local.Port())
	s.Local = netip.MustParseAddrPort("10.0.0.1:8080")
}

// dead is a descriptor whose connection a RST ended ten minutes after its FIN.
func dead(s *observe.Socket) {
	s.State = tcp.Closed
}

func inNS(id uint64) edit { return func(s *observe.Socket) { s.NetNS = id } }

func rto(current float64, backoff uint8) edit {
	return func(s *observe.Socket) { s.Info.RTO, s.Info.Backoff = sec(current), backoff }
}

func options(o observe.Options) edit { return func(s *observe.Socket) { s.Options = &o } }

// report diagnoses one look with everything listed.
func (w *world) report() *Report { return Diagnose(nil, &w.Snapshot, Options{Sockets: true}) }

// since diagnoses w as the second of two looks.
func (w *world) since(prev *world) *Report {
	return Diagnose(&prev.Snapshot, &w.Snapshot, Options{Sockets: true})
}

// only returns the one finding of a report.
func only(t *testing.T, r *Report) *Finding {
	t.Helper()
	if len(r.Findings) != 1 {
		t.Fatalf("%d findings, want one: %s", len(r.Findings), told(r))
	}
	return &r.Findings[0]
}

// by returns the one finding of that cause.
func by(t *testing.T, r *Report, c Cause) *Finding {
	t.Helper()
	var found *Finding
	for i := range r.Findings {
		if r.Findings[i].Cause == c {
			if found != nil {
				t.Fatalf("more than one %s: %s", c, told(r))
			}
			found = &r.Findings[i]
		}
	}
	if found == nil {
		t.Fatalf("no %s: %s", c, told(r))
	}
	return found
}

// verdictOf is a finding in three words.
func verdictOf(f *Finding) string {
	word := "fine"
	if f.Stuck {
		word = "stuck"
	}
	return string(f.Cause) + " " + word + " " + string(f.Confidence)
}

// told lists a report's findings for an error message.
func told(r *Report) string {
	var out []string
	for i := range r.Findings {
		f := &r.Findings[i]
		out = append(out, verdictOf(f)+" "+f.State.String()+" "+string(f.Direction)+" "+f.Local+"/"+f.Remote+" ×"+strconv.Itoa(f.Count))
	}
	return "[" + strings.Join(out, "; ") + "]"
}

// localEnd and remoteEnd spread i over local ports and two services, as a program
// with more connections than one destination's ports has them.
func localEnd(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), uint16(32768+i%28000))
}

func remoteEnd(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 5}), uint16(5000+i/28000))
}
