package gate

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/collect"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// suspicious is for how long a connection is half-closed before its holder may be
// traced, and is to blame. A program that closes upon the end of file needs
// microseconds for that, some milliseconds on a busy machine.
const suspicious = 10 * time.Millisecond

// Polling is a witness that looks again and again, by sock_diag and /proc, and
// stops the processes on their way out that hold what looks stuck.
type Polling struct {
	tree   *collect.Tree
	tracer *tracer // nil: nothing is stopped
	seen   map[observe.Key]*sight
	gone   map[observe.Key]*sight // of those, what the last look did not show any more
	// last words of processes: what they held half-closed when they were stopped on
	// their way out.
	words   map[Process]map[observe.Key]bool
	looks   int
	last    time.Time
	gap     time.Duration
	traced  int
	refused int
	// inherited are sockets that we had before the program: a standard input that is a
	// connection is its caller's.
	inherited map[uint64]bool
}

// sight is a half-closed or dead socket as polling last saw it.
type sight struct {
	socket    observe.Socket
	processes []observe.Process
	first, at time.Time
}

// NewPolling is a witness that needs no privilege. What a traced process closes
// itself and what only its exit closes can be told apart.
func NewPolling(which Trace) *Polling {
	p := &Polling{seen: map[observe.Key]*sight{}, words: map[Process]map[observe.Key]bool{}}
	if which != TraceNone {
		p.tracer = &tracer{all: which == TraceAll, tried: map[Process]bool{}}
	}
	return p
}

// Begin implements Witness.
func (p *Polling) Begin(ctx context.Context, pid int) error {
	p.inherited = openSockets()
	p.tree = collect.NewTree(collect.Options{}, pid)
	snap, err := p.tree.Look(ctx)
	if err == nil {
		p.last = snap.TakenAt
	}
	return err
}

// openSockets are the inodes of this process's sockets.
func openSockets() map[uint64]bool {
	const folder = "/proc/self/fd/"
	inodes := map[uint64]bool{}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return inodes
	}
	for _, e := range entries {
		var inode uint64
		link, err := os.Readlink(folder + e.Name())
		if err != nil {
			continue
		}
		if n, _ := fmt.Sscanf(link, "socket:[%d]", &inode); n == 1 {
			inodes[inode] = true
		}
	}
	return inodes
}

// Look implements Witness.
func (p *Polling) Look(ctx context.Context) (Sighting, error) {
	snap, err := p.look(ctx)
	if err == nil && p.bereft(snap) {
		snap, err = p.look(ctx)
	}
	if err != nil {
		return Sighting{}, err
	}
	out := Sighting{Snapshot: snap}
	for _, m := range p.tree.Members() {
		out.Processes = append(out.Processes, Process{PID: m.PID, PPID: m.PPID, StartTicks: m.StartTicks, Ended: m.Ended})
	}
	out.Died = p.compare(ctx, snap)
	p.trace()
	return out, nil
}

// look reads what there is.
func (p *Polling) look(ctx context.Context) (*observe.Snapshot, error) {
	snap, err := p.tree.Look(ctx)
	if err != nil {
		return nil, err
	}
	snap.Sockets = slices.DeleteFunc(snap.Sockets, func(s observe.Socket) bool { return p.inherited[s.Inode] })
	p.looks++
	p.gap = max(p.gap, snap.TakenAt.Sub(p.last))
	p.last = snap.TakenAt
	return snap, nil
}

// bereft reports whether connections have vanished together with their processes.
// These may have passed them on to children that began after a look had listed the
// processes: the next list has them.
func (p *Polling) bereft(snap *observe.Snapshot) bool {
	shown := map[observe.Key]bool{}
	for i := range snap.Sockets {
		if x := &snap.Sockets[i]; len(x.Holders) > 0 {
			shown[x.Key()] = true
		}
	}
	for k, was := range p.seen {
		if !shown[k] && len(was.processes) > 0 && !p.anyAlive(was.processes) {
			return true
		}
	}
	return false
}

// trace begins to trace the holders of what looks stuck, or everything.
func (p *Polling) trace() {
	switch {
	case p.tracer == nil:
		return
	case p.tracer.all:
		for _, m := range p.tree.Members() {
			if !m.Ended {
				p.seize(Process{PID: m.PID, StartTicks: m.StartTicks})
			}
		}
		return
	}
	for _, s := range p.seen {
		if s.halfClosed() < suspicious {
			continue
		}
		for i := range s.processes {
			p.seize(nameOf(&s.processes[i]))
		}
	}
}

func (p *Polling) seize(who Process) {
	if _, tried := p.tracer.tried[who]; tried {
		return
	}
	if p.tracer.seize(who) {
		p.traced++
	} else if p.tree.Alive(who.PID, who.StartTicks) {
		p.refused++
	}
}

// Started is called when the program has been started.
func (p *Polling) Started(pid int) {
	if p.tracer != nil && p.tracer.all {
		p.tracer.seizeThreads(pid)
	}
}

// nameOf is a process without what changes.
func nameOf(p *observe.Process) Process { return Process{PID: p.PID, StartTicks: p.StartTicks} }

// Stopped handles a stop of a traced thread. With leaving set the thread is on
// its way out and waits: Look, then call Leave.
func (p *Polling) Stopped(tid int, status unix.WaitStatus) (leaving bool) {
	return p.tracer != nil && p.tracer.stopped(tid, status)
}

// Leave notes what the process of a leaving thread holds, and lets the thread
// end. If the process lives on, what it holds when its last thread leaves counts.
func (p *Polling) Leave(tid int) {
	pid := processOf(tid)
	for _, s := range p.seen {
		for i := range s.processes {
			if who := nameOf(&s.processes[i]); who.PID == pid && p.words[who] == nil {
				p.words[who] = map[observe.Key]bool{}
			}
		}
	}
	for who, held := range p.words {
		if who.PID != pid {
			continue
		}
		clear(held)
		for k, s := range p.seen {
			held[k] = s.at.Equal(p.last) && s.heldBy(who)
		}
	}
	p.tracer.leave(tid)
}

// compare notes what is there now, and returns what has gone together with its
// processes since the last look.
func (p *Polling) compare(ctx context.Context, snap *observe.Snapshot) []Death {
	described := map[int32]*observe.Process{}
	for i := range snap.Processes {
		described[int32(snap.Processes[i].PID)] = &snap.Processes[i]
	}
	for i := range snap.Sockets {
		s := &snap.Sockets[i]
		if len(s.Holders) == 0 || s.State != tcp.CloseWait && !s.Dead() {
			continue
		}
		k := s.Key()
		now := p.seen[k]
		if now == nil {
			now = &sight{first: snap.TakenAt}
			p.seen[k] = now
		}
		now.socket, now.at, now.processes = *s, snap.TakenAt, holdersOf(s, described)
	}
	p.gone = map[observe.Key]*sight{}
	var died []Death
	for k, was := range p.seen {
		if was.at.Equal(snap.TakenAt) {
			continue
		}
		if torn(snap) && p.anyAlive(was.processes) {
			continue // it may be there and not have been shown
		}
		if len(was.processes) == 0 || p.anyAlive(was.processes) {
			p.lose(k)
			continue // closed by one of them
		}
		if p.tree.Remains(ctx, &was.socket) {
			continue // they are still ending, or have passed it on to who is not listed yet
		}
		p.lose(k)
		if counts, exact := p.died(k, was, snap.TakenAt); counts {
			died = append(died, Death{Socket: was.socket, Processes: was.processes, At: was.at, HalfClosed: was.halfClosed(), Exact: exact})
		}
	}
	return died
}

func (p *Polling) lose(k observe.Key) {
	p.gone[k] = p.seen[k]
	delete(p.seen, k)
}

// died decides whether only the end of its processes ended a connection. The
// last words of one of them prove it. Those of all of them, without it, prove that
// it was closed before; without last words it must have been half-closed for longer
// than nobody looked. A program that had no time to notice is not to blame.
func (p *Polling) died(k observe.Key, was *sight, now time.Time) (counts, exact bool) {
	silent := 0
	for i := range was.processes {
		words, said := p.words[nameOf(&was.processes[i])]
		if words[k] {
			return was.halfClosed() >= suspicious, true
		}
		if !said {
			silent++
		}
	}
	return silent > 0 && was.halfClosed() >= max(suspicious, 2*now.Sub(was.at)), false
}

// halfClosed is for how long, at least, it had been so when it was last seen.
func (s *sight) halfClosed() time.Duration {
	half := s.at.Sub(s.first)
	if s.socket.State == tcp.CloseWait && s.socket.Info != nil {
		half = max(half, s.socket.Info.LastAckRecv.Duration())
	}
	return half
}

func (s *sight) heldBy(who Process) bool {
	return slices.ContainsFunc(s.processes, func(p observe.Process) bool { return nameOf(&p) == who })
}

func (p *Polling) anyAlive(processes []observe.Process) bool {
	for i := range processes {
		if p.tree.Alive(processes[i].PID, processes[i].StartTicks) {
			return true
		}
	}
	return false
}

// Alive implements Witness.
func (p *Polling) Alive(x Process) bool { return p.tree.Alive(x.PID, x.StartTicks) }

// Describe implements Witness.
func (p *Polling) Describe() Description {
	d := Description{Name: "polling", Looks: p.looks, Traced: p.traced, LongestGapMS: float64(p.gap.Microseconds()) / 1000, Blind: []string{
		fmt.Sprintf("connections that were half-closed for less than %v when their process ended", p.shortest()),
		"the code that opened the connections and read from them",
	}}
	lastMoments := "whether a process closed a connection itself just before it ended"
	switch {
	case p.tracer == nil:
		d.Blind = append(d.Blind, lastMoments)
	case p.refused > 0:
		d.Blind = append(d.Blind, fmt.Sprintf("of %d processes that could not be traced, or already were, %s", p.refused, lastMoments))
	case p.traced > 0:
		d.Blind = append(d.Blind, "of processes that SIGKILL ended, "+lastMoments)
	}
	if os.Geteuid() != 0 {
		d.Blind = append(d.Blind, "processes that run as another user (sudo) or in another network namespace")
	}
	return d
}

// shortest is how long a connection must have been half-closed to be noticed.
func (p *Polling) shortest() time.Duration {
	if p.tracer != nil && p.tracer.all && p.refused == 0 {
		return suspicious // no process ends without a look
	}
	return max(suspicious, p.gap.Round(time.Millisecond))
}

// Close implements Witness.
func (p *Polling) Close() error {
	if p.tree == nil {
		return nil
	}
	return p.tree.Close()
}
