package collect

import (
	"net/netip"
	"sort"
	"time"

	"github.com/closewait/closewait/internal/kernel/procfs"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// survey is a snapshot in the making. One goroutine at a time fills it.
type survey struct {
	fs     procfs.FS
	begun  time.Time
	window time.Duration
	note   string // why the preferred reader could not be used, if that is worth a word

	spaces  []*space
	spaceOf map[uint64]*space

	sockets   []observe.Socket
	byCookie  map[uint64]int32
	infos     arena[observe.Info]
	options   arena[observe.Options]
	processes []observe.Process
	described map[int32]bool // processes, by pid
	limits    limits
}

func newSurvey(fs procfs.FS, begun time.Time, window time.Duration) *survey {
	return &survey{fs: fs, begun: begun, window: window, spaceOf: map[uint64]*space{}, byCookie: map[uint64]int32{}, described: map[int32]bool{}}
}

// add keeps a socket and returns its index, or that of the one with the same
// cookie that is there already. Of the two a later one with a file wins: it was
// accepted meanwhile.
func (s *survey) add(socket observe.Socket) int32 {
	if socket.Cookie != 0 {
		if i, ok := s.byCookie[socket.Cookie]; ok {
			if old := &s.sockets[i]; old.Inode == 0 && socket.Inode != 0 {
				*old = socket
			}
			return i
		}
		s.byCookie[socket.Cookie] = int32(len(s.sockets))
	}
	s.sockets = append(s.sockets, socket)
	return int32(len(s.sockets) - 1)
}

// hold adds a holder to a socket.
func (s *survey) hold(i int32, h observe.Holder) {
	s.sockets[i].Holders = append(s.sockets[i].Holders, h)
}

// keep removes the sockets that ok refuses. Indexes are void afterwards,
// and so is byCookie: nothing is added any more.
func (s *survey) keep(ok func(*observe.Socket) bool) {
	n := 0
	for i := range s.sockets {
		if ok(&s.sockets[i]) {
			if n != i {
				s.sockets[n] = s.sockets[i]
			}
			n++
		}
	}
	clear(s.sockets[n:])
	s.sockets = s.sockets[:n]
}

// dropSubflows removes the TCP rows of MPTCP connections, which have a row of
// their own; without privilege only the addresses tell.
func (s *survey) dropSubflows() {
	type ends struct {
		ns            uint64
		local, remote netip.AddrPort
	}
	multipath := map[ends]bool{}
	for i := range s.sockets {
		if m := &s.sockets[i]; m.MPTCP && m.State != tcp.Listen {
			multipath[ends{m.NetNS, m.Local, m.Remote}] = true
		}
	}
	if len(multipath) > 0 {
		s.keep(func(x *observe.Socket) bool {
			return x.MPTCP || x.State == tcp.Listen || !multipath[ends{x.NetNS, x.Local, x.Remote}]
		})
	}
}

// keepLiveLegs drops the ESTABLISHED sockets that can be no leg of a relay: idle
// ones, and those of processes without a half-closed socket.
func (s *survey) keepLiveLegs() {
	half := map[int32]bool{}
	established := false
	for i := range s.sockets {
		x := &s.sockets[i]
		established = established || x.State == tcp.Established
		if x.State == tcp.CloseWait {
			for _, h := range x.Holders {
				half[h.PID] = true
			}
		}
	}
	if !established {
		return
	}
	s.keep(func(x *observe.Socket) bool {
		if x.State != tcp.Established {
			return true
		}
		if len(x.Holders) == 0 || !half[x.Holders[0].PID] || x.Info == nil {
			return false
		}
		return x.Info.LastDataSent.Duration() < s.window || x.Info.LastDataRecv.Duration() < s.window
	})
}

// snapshot closes the survey.
func (s *survey) snapshot(host procfs.Host, reader string) *observe.Snapshot {
	out := &observe.Snapshot{
		Schema:  observe.Schema,
		Host:    observe.Host{Name: host.Name, Kernel: host.Kernel, BootID: host.BootID},
		TakenAt: s.begun, Reader: reader, WindowMS: observe.Millis(s.window / time.Millisecond),
		Processes: s.processes, Sockets: s.sockets,
	}
	for _, sp := range s.spaces {
		out.Namespaces = append(out.Namespaces, sp.seen)
	}
	sort.Slice(out.Processes, func(i, j int) bool { return out.Processes[i].PID < out.Processes[j].PID })
	out.Limits = s.limits.all(s.note)
	out.TookMS = float64(time.Since(s.begun).Microseconds()) / 1000
	return out
}

// arena hands out pointers into chunks: a hundred thousand small allocations
// would cost more than the values.
type arena[T any] struct{ chunk []T }

func (a *arena[T]) put(v T) *T {
	if len(a.chunk) == cap(a.chunk) {
		a.chunk = make([]T, 0, 512)
	}
	a.chunk = append(a.chunk, v)
	return &a.chunk[len(a.chunk)-1]
}
