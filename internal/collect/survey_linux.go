package collect

import (
	"net/netip"
	"slices"
	"sort"
	"time"

	"github.com/closewait/closewait/internal/kernel/bpfiter"
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

	sockets     []observe.Socket
	byCookie    index
	multipath   map[ends]int32              // MPTCP sockets
	states      [tcp.NewSynReceived + 1]int // how many were added in each
	remote      [1 << 16]uint32             // how many half-closed ones, by remote port
	tallies     map[uint64]*bpfiter.Tally   // of the half-closed ones with a file, by namespace
	lastTally   *bpfiter.Tally              // that of lastSpace
	lastSpace   uint64
	infos       arena[observe.Info]
	options     arena[observe.Options]
	lastOptions *observe.Options
	holders     arena[observe.Holder]
	processes   []observe.Process
	described   map[int32]bool  // processes, by pid
	apart       map[int32][]int // threads with descriptors of their own, by pid, where asked for
	limits      limits
	sensor      *observe.Sensor
}

func newSurvey(fs procfs.FS, begun time.Time, window time.Duration) *survey {
	return &survey{
		fs: fs, begun: begun, window: window, spaceOf: map[uint64]*space{},
		multipath: map[ends]int32{}, tallies: map[uint64]*bpfiter.Tally{}, described: map[int32]bool{}, apart: map[int32][]int{},
	}
}

// mostExpected bounds what is reserved on the word of a counter: ESTABLISHED
// sockets, which are not kept, are in it too.
const mostExpected = 1 << 17

// expect makes room for n sockets, and writes to it: the kernel maps memory when
// it is first touched, and while BPF programs load a processor is free for that.
// It takes a tenth off a look at a hundred thousand stuck sockets, and at most
// 31 MB on a host where all is well.
func (s *survey) expect(n int) {
	n = min(n, mostExpected)
	// The counter knows no mini-sockets, and a few may come meanwhile: outgrowing
	// the room by one would copy it all.
	s.sockets = make([]observe.Socket, 0, n+n/8+256)
	clear(s.sockets[:n])
	s.byCookie.reserve(n)
	s.infos.reserve(n)
	s.holders.reserve(n)
}

// beside is an empty survey of the same spaces, for another goroutine to fill.
// Until join neither may discover a space.
func (s *survey) beside() *survey {
	other := newSurvey(s.fs, s.begun, s.window)
	other.spaces, other.spaceOf = s.spaces, s.spaceOf
	return other
}

// join adds what was surveyed beside.
func (s *survey) join(other *survey) {
	for i := range other.sockets {
		s.add(&other.sockets[i])
	}
	for _, l := range other.limits.list {
		s.limits.add(l.Code, l.NetNS, l.Text)
	}
	s.limits.dropped += other.limits.dropped
}

// add keeps a socket and returns its index, or that of the one with the same
// cookie that is there already. Of the two a later one with a file wins: it was
// accepted meanwhile.
func (s *survey) add(socket *observe.Socket) int32 {
	if socket.MPTCP {
		return s.addMultipath(socket)
	}
	if socket.Cookie == 0 {
		return s.append(socket)
	}
	i, ok := s.byCookie.put(socket.Cookie, int32(len(s.sockets)))
	if !ok {
		return s.append(socket)
	}
	if old := &s.sockets[i]; old.Inode == 0 && socket.Inode != 0 {
		s.replace(old, socket)
	}
	return i
}

func (s *survey) append(socket *observe.Socket) int32 {
	if len(s.sockets) == cap(s.sockets) {
		// Twice the room: append alone would add a quarter to a long slice, and so
		// copy everything four times as often.
		s.sockets = slices.Grow(s.sockets, max(256, len(s.sockets)))
	}
	s.sockets = append(s.sockets, *socket)
	s.count(socket)
	return int32(len(s.sockets) - 1)
}

func (s *survey) replace(old, socket *observe.Socket) {
	s.count(socket)
	*old = *socket
}

// count is for knowing later what need not be looked for: what is replaced or
// dropped is not taken away again.
func (s *survey) count(socket *observe.Socket) {
	if socket.State.Valid() {
		s.states[socket.State]++
	}
	if !socket.State.HalfClosed() {
		return
	}
	s.remote[socket.Remote.Port()]++
	if socket.Inode != 0 && !socket.MPTCP {
		s.tallyOf(socket.NetNS).Add(socket.Cookie)
	}
}

// tallyOf sums up the half-closed sockets of a namespace that have a file.
func (s *survey) tallyOf(ns uint64) *bpfiter.Tally {
	if s.lastTally != nil && s.lastSpace == ns {
		return s.lastTally
	}
	t := s.tallies[ns]
	if t == nil {
		t = &bpfiter.Tally{}
		s.tallies[ns] = t
	}
	s.lastSpace, s.lastTally = ns, t
	return t
}

// ends names a connection, or with its inode a listener or a dead descriptor,
// whose addresses may be another's by now.
type ends struct {
	ns, inode     uint64
	local, remote netip.AddrPort
}

func endsOf(x *observe.Socket) ends {
	e := ends{ns: x.NetNS, local: x.Local, remote: x.Remote}
	if x.State == tcp.Closed { // only some readers know its remote address
		return ends{ns: x.NetNS, inode: x.Inode}
	}
	if x.State == tcp.Listen {
		e.inode = x.Inode
	}
	return e
}

// addMultipath is add for an MPTCP socket. Those that a listener accepts have its
// cookie (measured on 6.18), so they go by their addresses. BPF sees who holds
// one, and only sock_diag its times.
func (s *survey) addMultipath(socket *observe.Socket) int32 {
	key := endsOf(socket)
	i, ok := s.multipath[key]
	if !ok {
		s.multipath[key] = int32(len(s.sockets))
		return s.append(socket)
	}
	old := &s.sockets[i]
	old.Fallback = old.Fallback || socket.Fallback
	switch {
	case old.Inode == 0 && socket.Inode != 0:
		s.replace(old, socket)
	case old.Info == nil:
		old.Info = socket.Info
	}
	return i
}

// hold adds a holder to a socket.
func (s *survey) hold(i int32, h observe.Holder) {
	x := &s.sockets[i]
	if x.Holders == nil {
		x.Holders = s.holders.one(h)
		return
	}
	x.Holders = append(x.Holders, h)
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
	if len(s.multipath) == 0 {
		return
	}
	multipath := map[ends]bool{}
	for i := range s.sockets {
		if m := &s.sockets[i]; m.MPTCP && m.State != tcp.Listen {
			multipath[endsOf(m)] = true
		}
	}
	if len(multipath) > 0 {
		s.keep(func(x *observe.Socket) bool {
			return x.MPTCP || x.State == tcp.Listen || !multipath[endsOf(x)]
		})
	}
}

// keepLiveLegs drops the ESTABLISHED sockets that can be no leg of a relay: idle
// ones, and those of processes without a half-closed socket.
func (s *survey) keepLiveLegs() {
	if s.states[tcp.Established] == 0 {
		return
	}
	half := map[int32]bool{}
	for i := range s.sockets {
		if x := &s.sockets[i]; x.State == tcp.CloseWait {
			for _, h := range x.Holders {
				half[h.PID] = true
			}
		}
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
		TakenAt: s.begun, Uptime: s.begun.Sub(host.Boot), Reader: reader, WindowMS: observe.Millis(s.window / time.Millisecond),
		Processes: s.processes, Sockets: s.sockets, Sensor: s.sensor,
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

// reserve makes the first chunk one of n, and writes to it.
func (a *arena[T]) reserve(n int) {
	a.chunk = make([]T, n)
	clear(a.chunk)
	a.chunk = a.chunk[:0]
}

func (a *arena[T]) put(v T) *T { return &a.one(v)[0] }

// one returns a slice of v alone, to which append makes a new one.
func (a *arena[T]) one(v T) []T {
	if len(a.chunk) == cap(a.chunk) {
		a.chunk = make([]T, 0, 512)
	}
	a.chunk = append(a.chunk, v)
	n := len(a.chunk)
	return a.chunk[n-1 : n : n]
}
