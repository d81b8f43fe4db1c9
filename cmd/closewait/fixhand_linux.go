package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/act"
	"github.com/closewait/closewait/internal/kernel/netns"
	"github.com/closewait/closewait/internal/kernel/pidfd"
	"github.com/closewait/closewait/internal/kernel/procfs"
	"github.com/closewait/closewait/internal/remedy"
)

// hand acts on this host's kernel. It keeps processes and namespaces open from
// one act to the next.
type hand struct {
	proc      procfs.FS
	processes map[remedy.Holder]*act.Process // FD is 0 in the keys
	spaces    map[uint64]*act.Namespace
	listing   *netns.Listing
}

func newHand() *hand {
	return &hand{processes: map[remedy.Holder]*act.Process{}, spaces: map[uint64]*act.Namespace{}}
}

func (h *hand) close() {
	for _, p := range h.processes {
		_ = p.Close()
	}
	for _, n := range h.spaces {
		_ = n.Close()
	}
	clear(h.processes)
	clear(h.spaces)
}

// mostProcesses bounds the descriptors that a hand keeps open.
const mostProcesses = 256

func (h *hand) process(pid int, ticks uint64) (*act.Process, error) {
	key := remedy.Holder{PID: pid, StartTicks: ticks}
	if p := h.processes[key]; p != nil {
		return p, nil
	}
	p, err := act.Open(h.proc, pid, ticks)
	if err != nil {
		return nil, err
	}
	for old, other := range h.processes {
		if len(h.processes) < mostProcesses {
			break
		}
		_ = other.Close()
		delete(h.processes, old)
	}
	h.processes[key] = p
	return p, nil
}

// space opens the network namespace of a socket.
func (h *hand) space(s *remedy.Socket) (*act.Namespace, error) {
	if n := h.spaces[s.NetNS]; n != nil {
		return n, nil
	}
	n, err := h.listed(s.NetNS)
	if err != nil {
		n, err = throughSocket(s)
	}
	if err == nil {
		h.spaces[s.NetNS] = n
	}
	return n, err
}

// throughSocket reaches a namespace that nothing keeps but its sockets.
func throughSocket(s *remedy.Socket) (*act.Namespace, error) {
	for _, holder := range s.Holders {
		if n, err := throughHolder(holder, s.NetNS); err == nil {
			return n, nil
		}
	}
	return nil, errors.New("its network namespace is gone, or can't be reached from here")
}

func throughHolder(holder remedy.Holder, id uint64) (*act.Namespace, error) {
	p, err := pidfd.Open(holder.PID)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	copied, err := p.Copy(holder.FD)
	if err != nil {
		return nil, err
	}
	f, got, err := netns.OfSocket(copied)
	_ = unix.Close(copied)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if got != id {
		return nil, errors.New("another namespace")
	}
	return act.Enter(int(f.Fd()))
}

// listed opens a namespace by its inode number.
func (h *hand) listed(id uint64) (*act.Namespace, error) {
	if h.listing == nil {
		all, err := netns.List(netns.Options{})
		if err != nil {
			return nil, err
		}
		h.listing = &all
	}
	for i := range h.listing.Namespaces {
		ns := &h.listing.Namespaces[i]
		if ns.ID != id {
			continue
		}
		return enter(ns)
	}
	h.listing = nil // it may be new
	return nil, errors.New("it is not listed")
}

func enter(ns *netns.Namespace) (*act.Namespace, error) {
	if ns.Own {
		return act.Enter(0)
	}
	f, err := ns.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return act.Enter(int(f.Fd()))
}

func target(s *remedy.Socket) act.Target {
	return act.Target{
		Cookie: s.Cookie, Inode: s.Inode, Local: s.Local, Remote: s.Remote, State: s.State, RecvQ: s.RecvQ, SendQ: s.SendQ,
		Moved: act.Moved{Sent: s.Sent, Acked: s.Acked, Received: s.Recvd}, Unaccepted: s.Unaccepted,
	}
}

func sight(s act.Sight) remedy.Sight {
	return remedy.Sight{
		State: s.State, Unread: s.Unread, SendQ: s.SendQ, Unanswered: int(s.Unanswered),
		LastAck: time.Duration(s.LastAckRecv) * time.Millisecond,
	}
}

// through tries the socket's descriptors, one after the other, until one is not
// closed: a socket may have several, in several processes.
func (h *hand) through(a *remedy.Act, c *remedy.Change, do func(p *act.Process, fd int, t act.Target) (before, after act.Sight, err error)) error {
	if len(a.Socket.Holders) == 0 {
		return &remedy.Refusal{Kind: remedy.Failed, Err: errors.New("no descriptor of it can be reached")}
	}
	err := act.ErrClosed
	for _, holder := range a.Socket.Holders {
		var p *act.Process
		if p, err = h.process(holder.PID, holder.StartTicks); err != nil {
			continue
		}
		var before, after act.Sight
		before, after, err = do(p, holder.FD, target(a.Socket))
		c.Before, c.After = sight(before), sight(after)
		if err == nil {
			c.Through = &holder
		}
		if !errors.Is(err, act.ErrClosed) && !errors.Is(err, act.ErrReused) && !errors.Is(err, act.ErrProcessGone) {
			break
		}
	}
	return refusal(err)
}

// Shutdown implements remedy.Hand.
func (h *hand) Shutdown(_ context.Context, a *remedy.Act) (c remedy.Change, err error) {
	err = h.through(a, &c, func(p *act.Process, fd int, t act.Target) (act.Sight, act.Sight, error) {
		return p.Shutdown(fd, t)
	})
	return c, err
}

// KeepAlive implements remedy.Hand.
func (h *hand) KeepAlive(_ context.Context, a *remedy.Act) (c remedy.Change, err error) {
	err = h.through(a, &c, func(p *act.Process, fd int, t act.Target) (act.Sight, act.Sight, error) {
		want := act.Probes{On: true, Idle: time.Duration(a.Probes.Idle), Interval: time.Duration(a.Probes.Interval), Count: a.Probes.Count}
		before, after, was, is, err := p.KeepAlive(fd, t, want)
		if err == nil {
			c.Was, c.Is = keepalive(was), keepalive(is)
		}
		return before, after, err
	})
	return c, err
}

func keepalive(p act.Probes) *remedy.Probes {
	return &remedy.Probes{On: p.On, Idle: remedy.Seconds(p.Idle), Interval: remedy.Seconds(p.Interval), Count: p.Count}
}

// Destroy implements remedy.Hand.
func (h *hand) Destroy(ctx context.Context, a *remedy.Act) (remedy.Change, error) {
	n, err := h.space(a.Socket)
	if err != nil {
		return remedy.Change{}, refusal(err)
	}
	before, after, err := n.Destroy(ctx, target(a.Socket))
	return remedy.Change{Before: sight(before), After: sight(after)}, refusal(err)
}

// Raise implements remedy.Hand.
func (h *hand) Raise(_ context.Context, a *remedy.Act) (remedy.Change, error) {
	p, err := h.process(a.Process.PID, a.Process.StartTicks)
	if err != nil {
		return remedy.Change{}, refusal(err)
	}
	before, after, err := p.RaiseOpenFiles(a.Process.To)
	if err != nil {
		return remedy.Change{}, refusal(err)
	}
	return remedy.Change{WasMax: &remedy.OpenFiles{Soft: before.Soft, Hard: before.Hard}, IsMax: &remedy.OpenFiles{Soft: after.Soft, Hard: after.Hard}}, nil
}

// Look implements remedy.Hand.
func (h *hand) Look(ctx context.Context, a *remedy.Act) (remedy.Sight, error) {
	n, err := h.space(a.Socket)
	if err != nil {
		return remedy.Sight{}, refusal(err)
	}
	s, err := n.Look(ctx, target(a.Socket))
	return sight(s), refusal(err)
}

// Held implements remedy.Hand.
func (h *hand) Held(a *remedy.Act) (held, known bool) {
	known = true
	link := "socket:[" + strconv.FormatUint(a.Socket.Inode, 10) + "]"
	for _, holder := range a.Socket.Holders {
		if ticks, err := h.proc.StartTicks(holder.PID); errors.Is(err, procfs.ErrGone) || err == nil && ticks != holder.StartTicks {
			continue
		}
		got, err := os.Readlink("/proc/" + strconv.Itoa(holder.PID) + "/fd/" + strconv.Itoa(holder.FD))
		if got == link {
			return true, true
		}
		known = known && (err == nil || errors.Is(err, fs.ErrNotExist))
	}
	return false, known
}

// OpenFiles implements remedy.Hand.
func (h *hand) OpenFiles(pid int, startTicks uint64) (int, bool) {
	p, err := h.proc.Process(pid)
	if err != nil || p.StartTicks != startTicks || p.OpenFiles == 0 {
		return 0, false
	}
	return p.OpenFiles, true
}

// refusal classes the acting room's errors.
func refusal(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	kind := remedy.Failed
	cause := err
	if own, ok := errors.AsType[*act.Error](err); ok {
		cause = own.Err
	}
	_, changed := errors.AsType[*act.StateError](err)
	switch {
	case errors.Is(err, act.ErrEnded), errors.Is(err, act.ErrProcessGone), errors.Is(err, act.ErrClosed), errors.Is(err, act.ErrReused):
		kind = remedy.Ended
	case changed, errors.Is(err, act.ErrInUse), errors.Is(err, act.ErrAccepted), errors.Is(err, act.ErrNeverAccepted):
		kind = remedy.Changed
	case errors.Is(err, act.ErrEnough):
		kind = remedy.Enough
	case errors.Is(err, fs.ErrPermission):
		kind = remedy.Denied
	case errors.Is(err, errors.ErrUnsupported):
		kind = remedy.Unsupported
	}
	return &remedy.Refusal{Kind: kind, Err: cause}
}
