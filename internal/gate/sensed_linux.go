package gate

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/closewait/closewait/internal/collect"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// Sensed is a witness that polls, and has the kernel tell how each connection
// ended: whether its process closed it, or only ended with it open. No process is
// traced.
type Sensed struct {
	*Polling
	sensing *collect.Sensing
	stop    context.CancelFunc
	stopped chan struct{}

	// Of the looking goroutine alone.
	held      map[key]*sight // what was half-closed in the tree at the last look
	histories map[key]*observe.History
	recalled  time.Time
	described map[int]observe.Process

	mu      sync.Mutex
	members map[int]bool
	ended   map[key]*observe.Happening
	order   []key // of ended, the oldest first
	exits   []*observe.Happening
	lost    uint64
	failed  error
}

// mostEnds bounds how many ends are remembered: those of the whole host come.
const mostEnds = 1 << 16

// How long a look waits for the kernel's word on what has vanished since the
// last one, and how often histories are read.
const (
	forWord     = 100 * time.Millisecond
	recallEvery = 250 * time.Millisecond
)

// NewSensed is a witness with a sensor, which it does not close.
func NewSensed(x *collect.Sensing) *Sensed {
	return &Sensed{
		Polling: NewPolling(TraceNone), sensing: x, held: map[key]*sight{}, histories: map[key]*observe.History{},
		described: map[int]observe.Process{}, members: map[int]bool{}, ended: map[key]*observe.Happening{},
	}
}

// Begin implements Witness.
func (s *Sensed) Begin(ctx context.Context, pid int) error {
	if err := s.Polling.Begin(ctx, pid); err != nil {
		return err
	}
	s.sensing.ShortLived = s.member
	ctx, s.stop = context.WithCancel(ctx)
	s.stopped = make(chan struct{})
	ready := make(chan struct{})
	go func() {
		defer close(s.stopped)
		err := s.sensing.Listen(ctx, func() { close(ready) }, s.hear)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.failed = err
	}()
	select {
	case <-ready:
		return nil
	case <-s.stopped:
		return s.failed
	}
}

// member reports whether a process is the program's, by the last look or now.
func (s *Sensed) member(pid int) bool {
	s.mu.Lock()
	known := s.members[pid]
	s.mu.Unlock()
	return known || s.tree.Has(pid)
}

// hear takes in what the kernel tells. It runs beside the looks.
func (s *Sensed) hear(h *observe.Happening) {
	exit := h.Kind == observe.HappenedEnd && h.History.FINReceived && h.History.End == observe.EndExited &&
		h.At.Sub(h.History.HalfClosed) >= suspicious && s.member(h.PID)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch h.Kind {
	case observe.HappenedLost:
		s.lost += h.Lost
	case observe.HappenedEnd:
		k := key{h.NetNS, h.Cookie}
		s.ended[k] = h
		if s.order = append(s.order, k); len(s.order) > mostEnds {
			delete(s.ended, s.order[0])
			s.order = s.order[1:]
		}
	}
	if exit {
		s.exits = append(s.exits, h)
	}
}

// Look implements Witness.
func (s *Sensed) Look(ctx context.Context) (Sighting, error) {
	out, err := s.Polling.Look(ctx)
	if err != nil {
		return out, err
	}
	s.mu.Lock()
	for _, p := range out.Processes {
		s.members[p.PID] = true
	}
	s.mu.Unlock()
	for _, p := range out.Snapshot.Processes {
		s.described[p.PID] = p
	}
	gone := s.compareHeld(out.Snapshot)
	s.await(ctx, gone)
	out.Died = s.died(out.Died, gone)
	if err := s.remember(out.Snapshot); err != nil {
		return out, err
	}
	return out, nil
}

// compareHeld notes what is half-closed now, and returns what was and is no more.
func (s *Sensed) compareHeld(snap *observe.Snapshot) map[key]*sight {
	gone := s.held
	s.held = map[key]*sight{}
	for i := range snap.Sockets {
		x := &snap.Sockets[i]
		if len(x.Holders) == 0 || x.State != tcp.CloseWait {
			continue
		}
		k := keyOf(x)
		now := gone[k]
		if now == nil {
			now = &sight{first: snap.TakenAt}
		}
		delete(gone, k)
		now.socket, now.at, now.processes = *x, snap.TakenAt, nil
		for _, h := range x.Holders {
			if p, ok := s.described[int(h.PID)]; ok {
				now.processes = append(now.processes, p)
			}
		}
		s.held[k] = now
	}
	return gone
}

// await waits until the kernel has told of everything that has vanished.
func (s *Sensed) await(ctx context.Context, gone map[key]*sight) {
	deadline := time.Now().Add(forWord)
	for ctx.Err() == nil && time.Now().Before(deadline) && !s.toldOf(gone) {
		time.Sleep(time.Millisecond)
	}
}

func (s *Sensed) toldOf(gone map[key]*sight) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, was := range gone {
		if s.ended[k] == nil && !was.socket.MPTCP {
			return false
		}
	}
	return true
}

// died are the connections that only an exit ended: those that the kernel told.
// Of what polling inferred, the kernel's silence says that it has not ended: another
// process has it, which the look did not show. Polling's word stands only where the
// kernel's may be missing.
func (s *Sensed) died(inferred []Death, gone map[key]*sight) (out []Death) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range inferred {
		if s.ended[keyOf(&d.Socket)] == nil && (d.Socket.MPTCP || d.Socket.Dead() || s.lost > 0 || s.failed != nil) {
			out = append(out, d)
		}
	}
	for _, h := range s.exits {
		out = append(out, s.death(h, gone[key{h.NetNS, h.Cookie}]))
	}
	s.exits = nil
	return out
}

// death is an exit with what was seen of the connection, if anything was.
func (s *Sensed) death(h *observe.Happening, was *sight) Death {
	d := Death{At: h.At, HalfClosed: h.At.Sub(h.History.HalfClosed), Exact: true}
	if was != nil {
		d.Socket, d.Processes = was.socket, was.processes
	} else {
		d.Socket = observe.Socket{
			NetNS: h.NetNS, Cookie: h.Cookie, State: tcp.CloseWait, Local: h.Local, Remote: h.Remote, Inode: h.Cookie, RecvQ: unreadAtEnd(h),
		}
	}
	if len(d.Processes) == 0 {
		p, ok := s.described[h.PID]
		if !ok {
			p = observe.Process{PID: h.PID, Comm: h.Comm}
		}
		d.Processes = []observe.Process{p}
	}
	if len(d.Socket.Holders) == 0 {
		d.Socket.Holders = []observe.Holder{{PID: int32(h.PID), FD: -1}}
	}
	d.Socket.History = &h.History
	return d
}

// unreadAtEnd is Recv-Q as it would have been seen, if nobody read but part of it.
func unreadAtEnd(h *observe.Happening) uint32 {
	if !h.History.Zero.IsZero() {
		return 0
	}
	return uint32(h.Unread) + 1
}

// remember adds the histories to a snapshot, read anew or as they were lately.
func (s *Sensed) remember(snap *observe.Snapshot) error {
	if len(s.held) == 0 {
		snap.Sensor = s.sensing.Seen()
		return nil
	}
	if time.Since(s.recalled) >= recallEvery {
		s.recalled = time.Now()
		if err := s.sensing.Recall(snap); err != nil {
			return err
		}
		clear(s.histories)
		for i := range snap.Sockets {
			if h := snap.Sockets[i].History; h != nil {
				s.histories[keyOf(&snap.Sockets[i])] = h
			}
		}
		return nil
	}
	for i := range snap.Sockets {
		snap.Sockets[i].History = s.histories[keyOf(&snap.Sockets[i])]
	}
	snap.Sensor = s.sensing.Seen()
	return nil
}

// Describe implements Witness.
func (s *Sensed) Describe() Description {
	d := s.Polling.Describe()
	s.mu.Lock()
	defer s.mu.Unlock()
	d.Name, d.Exact, d.Blind = "sensor", s.lost == 0 && s.failed == nil, nil
	if s.lost > 0 {
		d.Blind = append(d.Blind, fmt.Sprintf("%d ends of connections that came faster than they were read", s.lost))
	}
	if s.failed != nil {
		d.Blind = append(d.Blind, "how connections ended, after the sensor failed: "+s.failed.Error())
	}
	d.Blind = append(d.Blind, "processes that lived for less than a look, if their parent reaped them at once",
		"how connections of MPTCP ended, but by looking")
	return d
}

// Close implements Witness.
func (s *Sensed) Close() error {
	if s.stop != nil {
		s.stop()
		<-s.stopped
	}
	return s.Polling.Close()
}
