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
	held      map[observe.Key]*sight // what was half-closed in the tree at the last look
	memory    memory
	described map[int]observe.Process
	ceased    time.Time // when it was first seen that somebody had stopped the sensor

	mu     sync.Mutex
	ended  map[observe.Key]*observe.Happening
	order  []observe.Key // of ended, the oldest first
	exits  []*observe.Happening
	lost   uint64
	failed error
	before uint64 // what was lost before this run
	behind bool   // the last look did not hear all that had happened
}

// mostEnds bounds how many ends are remembered: those of the whole host come.
const mostEnds = 1 << 16

// forWord is how long a look waits, on a very busy machine, for what the kernel has told
// to be read.
const forWord = 5 * time.Second

// NewSensed is a witness with a sensor, which it does not close and which follows this
// process (collect.Sensing.Follow).
func NewSensed(x *collect.Sensing) *Sensed {
	return &Sensed{
		Polling: NewPolling(TraceNone), sensing: x, held: map[observe.Key]*sight{},
		described: map[int]observe.Process{}, ended: map[observe.Key]*observe.Happening{},
	}
}

// Begin implements Witness.
func (s *Sensed) Begin(ctx context.Context, pid int) error {
	if err := s.Polling.Begin(ctx, pid); err != nil {
		return err
	}
	s.before = s.sensing.Lost()
	s.sensing.ShortLived = func(pid int) bool { return s.sensing.Has(pid, time.Now()) }
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

// hear takes in what the kernel tells. It runs beside the looks.
func (s *Sensed) hear(h *observe.Happening) {
	exit := onlyByExit(h) && s.sensing.Has(h.PID, h.At)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch h.Kind {
	case observe.HappenedLost:
		s.lost += h.Lost
	case observe.HappenedEnd, observe.HappenedRelease:
		s.note(observe.Key{NetNS: h.NetNS, Cookie: h.Cookie}, h)
	}
	if exit {
		s.exits = append(s.exits, h)
	}
}

// note keeps an end, and the end of what had remained of it.
func (s *Sensed) note(k observe.Key, h *observe.Happening) {
	if s.ended[k] == nil {
		s.order = append(s.order, k)
	}
	s.ended[k] = h
	if len(s.order) > mostEnds {
		delete(s.ended, s.order[0])
		s.order = s.order[1:]
	}
}

// onlyByExit reports whether only the exit of a process ended a connection, or closed
// the descriptor of one that a RST or the like had ended before, and the process had
// had the time to notice. What the application had shut down is its own doing.
func onlyByExit(h *observe.Happening) bool {
	switch h.Kind {
	case observe.HappenedEnd:
		return h.History.End == observe.EndExited && h.History.FINReceived && overFor(h) >= suspicious
	case observe.HappenedRelease:
		byItself := h.History.End == observe.EndClosed || h.History.End == observe.EndPeer
		return h.Exiting && !byItself && overFor(h) >= suspicious
	}
	return false
}

// overFor is for how long a process could have known that its peer is done, or that
// the connection is dead.
func overFor(h *observe.Happening) time.Duration {
	since := h.History.HalfClosed
	if !h.History.FINReceived {
		since = h.History.Ended
	}
	return h.At.Sub(since)
}

// Look implements Witness.
func (s *Sensed) Look(ctx context.Context) (Sighting, error) {
	out, err := s.Polling.Look(ctx)
	if err != nil {
		return out, err
	}
	for _, p := range out.Snapshot.Processes {
		s.described[p.PID] = p
	}
	if s.ceased.IsZero() && s.sensing.Stopped() {
		s.ceased = out.Snapshot.TakenAt
	}
	gone := s.compareHeld(out.Snapshot)
	s.catchUp(ctx)
	out.Died = s.died(out.Died, gone)
	for i := range out.Died {
		if d := &out.Died[i].Socket; d.History == nil {
			d.History = s.memory.histories[d.Key()]
		}
	}
	if err := s.remember(out.Snapshot); err != nil {
		return out, err
	}
	return out, nil
}

// compareHeld notes what is half-closed now, and returns what was and is no more.
func (s *Sensed) compareHeld(snap *observe.Snapshot) map[observe.Key]*sight {
	gone := s.held
	s.held = map[observe.Key]*sight{}
	for i := range snap.Sockets {
		x := &snap.Sockets[i]
		if len(x.Holders) == 0 || x.State != tcp.CloseWait {
			continue
		}
		k := x.Key()
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

// catchUp waits until everything is heard that happened before: the end of what has
// vanished, and of what nobody has ever seen.
func (s *Sensed) catchUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, forWord)
	defer cancel()
	go func() {
		select {
		case <-s.stopped: // nobody listens
			cancel()
		case <-ctx.Done():
		}
	}()
	s.behind = !s.sensing.CatchUp(ctx)
}

// died are the connections that only an exit ended: those that the kernel told.
// Of what polling inferred, the kernel's silence says that it has not ended: another
// process has it, which the look did not show. Polling's word stands only where the
// kernel's may be missing: it never told of a dead connection, say.
func (s *Sensed) died(inferred []Death, gone map[observe.Key]*sight) (out []Death) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range inferred {
		told := s.ended[d.Socket.Key()]
		unheard := told == nil && (d.Socket.MPTCP || d.Socket.Dead())
		if unheard || !over(told) && (s.lost > 0 || s.failed != nil) {
			out = append(out, d)
		}
	}
	for _, h := range s.exits {
		out = append(out, s.death(h, s.sightOf(observe.Key{NetNS: h.NetNS, Cookie: h.Cookie}, gone)))
	}
	s.exits = nil
	return out
}

// over reports whether the kernel has told the end of a connection, and of the
// descriptor that may have remained.
func over(h *observe.Happening) bool {
	return h != nil && (!h.Held || h.Kind == observe.HappenedRelease)
}

// sightOf is a connection as it was last seen, nil if it was not.
func (s *Sensed) sightOf(k observe.Key, gone map[observe.Key]*sight) *sight {
	for _, sights := range []map[observe.Key]*sight{gone, s.seen, s.gone} {
		if was := sights[k]; was != nil {
			return was
		}
	}
	return nil
}

// death is an exit with what was seen of the connection, if anything was.
func (s *Sensed) death(h *observe.Happening, was *sight) Death {
	d := Death{At: h.At, HalfClosed: overFor(h), Exact: true}
	if was != nil {
		d.Socket, d.Processes = was.socket, was.processes
		if !h.History.Zero.IsZero() {
			d.Socket.RecvQ = 0 // it was read since
		}
	} else {
		d.Socket = observe.Socket{
			NetNS: h.NetNS, Cookie: h.Cookie, State: tcp.CloseWait, Local: h.Local, Remote: h.Remote, Inode: h.Cookie, RecvQ: unreadAtEnd(h),
		}
	}
	if h.Kind == observe.HappenedRelease {
		d.Socket = dead(d.Socket)
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

// dead is a socket of which only a descriptor had remained.
func dead(s observe.Socket) observe.Socket {
	s.State, s.RecvQ, s.SendQ, s.Timer = tcp.Closed, 0, 0, observe.Timer{}
	if !s.Dead() {
		s.Info = &observe.Info{SegsIn: 1, BytesAcked: 1} // as little as a connection has had
	}
	return s
}

// unreadAtEnd is Recv-Q as it would have been seen, if nobody read but part of it.
func unreadAtEnd(h *observe.Happening) uint32 {
	if !h.History.Zero.IsZero() {
		return 0
	}
	return uint32(h.Unread) + 1
}

// Describe implements Witness.
func (s *Sensed) Describe() Description {
	d := s.Polling.Describe()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = max(s.lost, s.sensing.Lost()-s.before)
	d.Name, d.Exact, d.Blind = "sensor", s.lost == 0 && s.failed == nil && !s.behind, nil
	if !s.ceased.IsZero() {
		d.SensorStoppedAt = &s.ceased
	}
	if s.behind {
		d.Blind = append(d.Blind, "what the kernel told in the last moments: it was not read in time")
	}
	if s.lost > 0 {
		d.Blind = append(d.Blind, fmt.Sprintf("%d events that there was no room for or that the kernel skipped: ends of connections may be among them", s.lost))
	}
	if s.failed != nil {
		d.Blind = append(d.Blind, "how connections ended, after the sensor failed: "+s.failed.Error())
	}
	d.Blind = append(d.Blind, "how connections of MPTCP ended, but by looking")
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
