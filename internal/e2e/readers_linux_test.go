package e2e

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// agree holds two looks at one population against each other, field by field: an
// earlier one and a later one. Only BPF sees Options, and the remote address and error of
// a dead connection; times go on between the looks.
func agree(t *testing.T, earlier, later *observe.Snapshot, p *population) {
	t.Helper()
	took := time.Duration((earlier.TookMS + later.TookMS) * float64(time.Millisecond))
	c := comparison{t: t, between: later.TakenAt.Sub(earlier.TakenAt), slack: took + clockSlack, restless: p.restless()}
	a, b := c.canonical(earlier, p), c.canonical(later, p)
	union := maps.Clone(a)
	maps.Copy(union, b)
	for _, name := range slices.Sorted(maps.Keys(union)) {
		x, inA := a[name]
		y, inB := b[name]
		switch {
		case !inA:
			t.Errorf("only the %s reader has %s: %+v", later.Reader, name, y)
		case !inB:
			t.Errorf("only the %s reader has %s: %+v", earlier.Reader, name, x)
		default:
			c.sockets(name, x, y)
		}
	}
	if len(union) == 0 {
		t.Error("neither reader has a socket of the population")
	}
	c.processes(earlier, later, p)
	c.namespaces(earlier, later, p)
	c.limits(earlier, later)
}

type comparison struct {
	t        *testing.T
	between  time.Duration
	slack    time.Duration
	restless map[uint64]bool // cookies
}

// restless are the sockets on which packets come and go between two looks.
func (p *population) restless() map[uint64]bool {
	out := map[uint64]bool{}
	for _, x := range p.players {
		if x.missing != nil {
			continue
		}
		busy := false
		for _, c := range x.record() {
			busy = busy || c.Cause == "half-close-in-use"
		}
		for _, c := range x.record() {
			out[c.Cookie] = busy || c.Timer == 1 || c.Timer == 4 || x.spec.KeepAlive ||
				slices.Contains([]string{"send-blocked", "fin-unacked"}, c.Cause) || peerIsRestless(x, &c)
		}
	}
	return out
}

// peerIsRestless: the other end retransmits or probes.
func peerIsRestless(x *player, c *misbehave.Conn) bool {
	return slices.ContainsFunc(x.record(), func(o misbehave.Conn) bool {
		return o.Local == c.Remote && o.Remote == c.Local && (o.Cause == "send-blocked" || o.Cause == "fin-unacked")
	})
}

// canonical is the population's part of a snapshot by the sockets' names.
func (c *comparison) canonical(s *observe.Snapshot, p *population) map[string]observe.Socket {
	c.t.Helper()
	ours, ports, known := map[int32]bool{}, map[uint16]bool{}, map[uint64]bool{}
	for _, x := range p.players {
		if x.missing != nil {
			continue
		}
		for _, pid := range append(x.PIDs(), x.PeerPID()) {
			ours[int32(pid)] = true
		}
		for _, port := range x.ports() {
			ports[port] = true
		}
		for _, conn := range x.record() {
			known[conn.Cookie] = true
		}
	}
	out := map[string]observe.Socket{}
	for _, x := range s.Sockets {
		held := slices.ContainsFunc(x.Holders, func(h observe.Holder) bool { return ours[h.PID] })
		if x.NetNS != p.space.id || p.space.file == nil && !held && !ports[x.Local.Port()] && !ports[x.Remote.Port()] {
			continue
		}
		// Another test's, that has one of our port numbers by chance.
		if p.space.file == nil && len(x.Holders) > 0 && !held && !known[x.Cookie] {
			continue
		}
		slices.SortFunc(x.Holders, func(a, b observe.Holder) int {
			return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(a.FD, b.FD))
		})
		x.Options = nil
		if x.State == tcp.Closed {
			x.Remote, x.Died = netip.AddrPort{}, ""
		}
		name := fmt.Sprintf("%v %v → %v cookie %x", x.State, x.Local, x.Remote, x.Cookie)
		if _, twice := out[name]; twice {
			c.t.Errorf("the %s reader has %s twice", s.Reader, name)
		}
		out[name] = x
	}
	return out
}

func (c *comparison) differ(name, field string, a, b any) {
	c.t.Helper()
	c.t.Errorf("%s: %s is %v to procfs, %v to bpf", name, field, a, b)
}

// same compares one field.
func same[T comparable](c *comparison, name, field string, a, b T) {
	c.t.Helper()
	if a != b {
		c.differ(name, field, a, b)
	}
}

func (c *comparison) sockets(name string, a, b observe.Socket) {
	c.t.Helper()
	same(c, name, "Inode", a.Inode, b.Inode)
	same(c, name, "MPTCP", a.MPTCP, b.MPTCP)
	same(c, name, "UID", a.UID, b.UID)
	same(c, name, "Shutdown", a.Shutdown, b.Shutdown)
	same(c, name, "Holders", fmt.Sprint(a.Holders), fmt.Sprint(b.Holders))
	moves := c.restless[a.Cookie]
	if !moves && a.State != tcp.Established {
		same(c, name, "RecvQ", a.RecvQ, b.RecvQ)
		same(c, name, "SendQ", a.SendQ, b.SendQ)
		c.timers(name, a.Timer, b.Timer)
	}
	if (a.Info == nil) != (b.Info == nil) {
		c.differ(name, "Info", a.Info, b.Info)
		return
	}
	if a.Info != nil {
		c.infos(name, a.Info, b.Info, moves || a.State == tcp.Established)
	}
}

func (c *comparison) timers(name string, a, b observe.Timer) {
	c.t.Helper()
	same(c, name, "Timer.Kind", a.Kind, b.Kind)
	same(c, name, "Timer.Retries", a.Retries, b.Retries)
	if a.Kind == observe.TimerNone {
		return
	}
	if d := a.Expires.Duration() - b.Expires.Duration() - c.between; d < -c.slack || d > c.slack {
		c.differ(name, fmt.Sprintf("Timer.Expires (%v later)", c.between), a.Expires.Duration(), b.Expires.Duration())
	}
}

func (c *comparison) infos(name string, a, b *observe.Info, moves bool) {
	c.t.Helper()
	for _, x := range []struct {
		field string
		a, b  observe.Millis
	}{
		{"LastDataSent", a.LastDataSent, b.LastDataSent}, {"LastDataRecv", a.LastDataRecv, b.LastDataRecv}, {"LastAckRecv", a.LastAckRecv, b.LastAckRecv},
	} {
		if d := x.b.Duration() - x.a.Duration() - c.between; d > c.slack || !moves && d < -c.slack {
			c.differ(name, fmt.Sprintf("%s (%v later)", x.field, c.between), x.a.Duration(), x.b.Duration())
		}
	}
	if moves {
		return
	}
	x, y := *a, *b
	for _, i := range []*observe.Info{&x, &y} {
		i.LastDataSent, i.LastDataRecv, i.LastAckRecv = 0, 0, 0
	}
	same(c, name, "Info", x, y)
}

func (c *comparison) processes(a, b *observe.Snapshot, p *population) {
	c.t.Helper()
	for _, x := range p.players {
		if x.missing != nil {
			continue
		}
		for _, pid := range append(x.PIDs(), x.PeerPID()) {
			c.process(fmt.Sprintf("process %d (%s)", pid, x.name), find(a, pid), find(b, pid))
		}
	}
}

func find(s *observe.Snapshot, pid int) *observe.Process {
	i := slices.IndexFunc(s.Processes, func(p observe.Process) bool { return p.PID == pid })
	if i < 0 {
		return nil
	}
	return &s.Processes[i]
}

func (c *comparison) process(name string, a, b *observe.Process) {
	c.t.Helper()
	if a == nil || b == nil {
		if a != b {
			c.differ(name, "the process", a, b)
		}
		return
	}
	x, y := *a, *b
	if d := x.StartedAt.Sub(y.StartedAt); d < -20*time.Millisecond || d > 20*time.Millisecond {
		c.differ(name, "StartedAt", x.StartedAt, y.StartedAt)
	}
	// Go's runtime makes threads, and opens what a new thread needs, as it likes.
	for _, q := range []*observe.Process{&x, &y} {
		q.StartedAt, q.Threads = time.Time{}, 0
	}
	same(c, name, "fields", fmt.Sprintf("%+v", x), fmt.Sprintf("%+v", y))
}

func (c *comparison) namespaces(a, b *observe.Snapshot, p *population) {
	c.t.Helper()
	at := func(s *observe.Snapshot) observe.Namespace {
		n := 0
		var found observe.Namespace
		for _, x := range s.Namespaces {
			if x.ID == p.space.id {
				found = x
				n++
			}
		}
		if n != 1 {
			c.t.Errorf("the %s reader has the namespace %d times", s.Reader, n)
		}
		return found
	}
	x, y := at(a), at(b)
	x.TCP.Orphan, y.TCP.Orphan = 0, 0 // the kernel counts them for all namespaces together
	if p.space.file == nil {          // what others do in the common one is not ours to compare
		x.TCP, y.TCP, x.PortUse, y.PortUse = observe.Counter{}, observe.Counter{}, nil, nil
	}
	same(c, "namespace", "fields", fmt.Sprintf("%+v", x), fmt.Sprintf("%+v", y))
	same(c, "snapshot", "Host", a.Host, b.Host)
	same(c, "snapshot", "WindowMS", a.WindowMS, b.WindowMS)
	same(c, "snapshot", "Schema", a.Schema, b.Schema)
}

// limits are those that bear on what can be compared: BPF needs no permission
// of the processes whose descriptors it reads, and what comes of other programs'
// comings and goings is each look's own.
func (c *comparison) limits(a, b *observe.Snapshot) {
	c.t.Helper()
	list := func(s *observe.Snapshot) string {
		var out []string
		for _, l := range s.Limits {
			switch l.Code {
			case observe.LimitTorn, observe.LimitReader:
				out = append(out, string(l.Code)+": "+l.Text)
			}
		}
		slices.Sort(out)
		return strings.Join(out, "; ")
	}
	same(c, "snapshot", "Limits", list(a), list(b))
}
