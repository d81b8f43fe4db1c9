package diagnose

import (
	"net/netip"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// view is one or two snapshots with the indexes that judging needs, for one
// diagnosis. Judging only reads it, from several goroutines; what follows is the
// work of one.
type view struct {
	cur      *observe.Snapshot
	prev     *observe.Snapshot // nil for one look
	interval time.Duration     // between the two looks, 0 for one
	grace    time.Duration
	now      time.Time

	namespaces map[uint64]*observe.Namespace
	programs   programs
	stacks     stacks
	listeners  map[portKey][]int32         // indexes of LISTEN sockets
	finWait2   map[flowKey]*observe.Socket // by the peer's (reversed) flow
	ports      map[uint64]*portCounts      // by namespace
	torn       bool                        // a dump of this look was interrupted each time
	before     map[observe.Key]int32       // index in prev.Sockets
	entered    map[uint64]bool             // namespaces that the first look entered
	left       map[leftKey]int             // what the second look has no more; nil until asked
	ownersSeen bool                        // every process's descriptors were listed,
	someHidden bool                        // but for single ones that refuse anybody
}

type portKey struct {
	ns   uint64
	port uint16
}

// flowKey names a connection within the host. Loopback addresses mean another
// connection in each namespace; others may lead from one namespace to the next.
type flowKey struct {
	ns            uint64 // 0 unless remote is a loopback address
	local, remote netip.AddrPort
}

// flowKeyOf is the connection as s sees it, peerKeyOf as its peer does.
func flowKeyOf(s *observe.Socket) flowKey { return newFlowKey(s.NetNS, s.Flow()) }

func peerKeyOf(s *observe.Socket) flowKey { return newFlowKey(s.NetNS, s.Flow().Reverse()) }

func newFlowKey(ns uint64, f tcp.Flow) flowKey {
	if !f.Local.Addr().IsLoopback() && !f.Remote.Addr().IsLoopback() {
		ns = 0
	}
	return flowKey{ns, f.Local, f.Remote}
}

func newView(prev, cur *observe.Snapshot, grace time.Duration) *view {
	v := &view{
		cur: cur, prev: prev, grace: grace, now: cur.TakenAt, ownersSeen: true,
		namespaces: make(map[uint64]*observe.Namespace, len(cur.Namespaces)),
		listeners:  map[portKey][]int32{},
		finWait2:   map[flowKey]*observe.Socket{},
		ports:      map[uint64]*portCounts{},
	}
	for i := range cur.Namespaces {
		v.namespaces[cur.Namespaces[i].ID] = &cur.Namespaces[i]
	}
	for _, l := range cur.Limits {
		switch l.Code {
		case observe.LimitOwners:
			v.ownersSeen = false
		case observe.LimitSomeOwners:
			v.someHidden = true
		}
	}
	v.torn = torn(cur)
	halfClosed := map[uint64]int{}
	for i := range cur.Sockets {
		if s := &cur.Sockets[i]; s.State.HalfClosed() {
			halfClosed[s.NetNS]++
		}
	}
	for ns, n := range halfClosed {
		v.ports[ns] = newPortCounts(n)
	}
	for i := range cur.Sockets {
		s := &cur.Sockets[i]
		if s.State.HalfClosed() {
			v.ports[s.NetNS].count(s)
		}
		switch s.State {
		case tcp.Listen:
			k := portKey{s.NetNS, s.Local.Port()}
			v.listeners[k] = append(v.listeners[k], int32(i))
		case tcp.FinWait2:
			v.finWait2[peerKeyOf(s)] = s
		}
	}
	v.programs = newPrograms(cur.Processes)
	v.stacks = newStacks(cur.Sensor)
	v.indexPrevious()
	return v
}

// indexPrevious makes the earlier look's sockets findable. Two looks of
// different boots or hosts say nothing about each other.
func (v *view) indexPrevious() {
	if v.prev == nil || v.cur.Since(v.prev) <= 0 {
		v.prev = nil
		return
	}
	v.interval = v.cur.Since(v.prev)
	v.entered = make(map[uint64]bool, len(v.prev.Namespaces))
	for i := range v.prev.Namespaces {
		v.entered[v.prev.Namespaces[i].ID] = v.prev.Namespaces[i].Entered
	}
	v.before = make(map[observe.Key]int32, len(v.prev.Sockets))
	for i := range v.prev.Sockets {
		if k := v.prev.Sockets[i].Key(); k != (observe.Key{}) {
			v.before[k] = int32(i)
		}
	}
}

// earlier returns the same socket in the earlier look, nil if it was not there.
func (v *view) earlier(s *observe.Socket) *observe.Socket {
	if v.prev == nil {
		return nil
	}
	k := s.Key()
	i, ok := v.before[k]
	if !ok {
		return nil
	}
	before := &v.prev.Sockets[i]
	if k.Cookie == 0 && !sameAddresses(before, s) {
		return nil
	}
	return before
}

// sameAddresses: a dead descriptor has lost its remote address.
func sameAddresses(a, b *observe.Socket) bool {
	return a.Local == b.Local && (a.Remote == b.Remote || !a.Remote.IsValid() || !b.Remote.IsValid())
}

// listenersFor returns the LISTEN sockets that would get a connection to the
// socket's local address.
func (v *view) listenersFor(s *observe.Socket) []int32 {
	all := v.listeners[portKey{s.NetNS, s.Local.Port()}]
	if len(all) == 0 {
		return nil
	}
	addr := s.Local.Addr().Unmap()
	fits := func(i int32) bool { return listensOn(v.cur.Sockets[i].Local.Addr(), addr) }
	if len(all) == 1 { // the usual case needs no new slice
		if fits(all[0]) {
			return all
		}
		return nil
	}
	var out []int32
	for _, i := range all {
		if fits(i) {
			out = append(out, i)
		}
	}
	return out
}

// listensOn: a wildcard IPv6 listener takes IPv4 connections too, unless
// IPV6_V6ONLY is set, which no dump shows; then its port has an IPv4 listener
// of its own or no IPv4 connections at all.
func listensOn(listener, addr netip.Addr) bool {
	listener = listener.Unmap()
	if listener.WithZone("") == addr.WithZone("") {
		return true
	}
	return listener.IsUnspecified() && (listener.Is6() || addr.Is4())
}

// sysctl returns the settings of a socket's namespace.
func (v *view) sysctl(ns uint64) observe.Sysctl {
	if n := v.namespaces[ns]; n != nil {
		return n.Sysctl
	}
	return observe.Sysctl{}
}

// portCounts counts half-closed sockets by their local and by their remote port.
type portCounts struct{ local, remote portCount }

// portCount is a table where a namespace has many sockets, and a map where it
// has few: a host may have a thousand namespaces.
type portCount struct {
	many []int32
	few  map[uint16]int32
}

const manySockets = 1 << 12

func newPortCounts(sockets int) *portCounts {
	if sockets < manySockets {
		return &portCounts{portCount{few: map[uint16]int32{}}, portCount{few: map[uint16]int32{}}}
	}
	return &portCounts{portCount{many: make([]int32, 1<<16)}, portCount{many: make([]int32, 1<<16)}}
}

func (c *portCounts) count(s *observe.Socket) {
	c.local.up(s.Local.Port())
	c.remote.up(s.Remote.Port())
}

func (c *portCount) up(port uint16) {
	if c.many != nil {
		c.many[port]++
		return
	}
	c.few[port]++
}

func (c *portCount) of(port uint16) int32 {
	if c.many != nil {
		return c.many[port]
	}
	return c.few[port]
}

// sharesLocalPort reports whether the half-closed sockets have the local port in
// common rather than the remote one: then it was a service's, even if nobody
// listens there any more. Two may share one by accident: the kernel gives the
// same ephemeral port towards different destinations.
func (v *view) sharesLocalPort(s *observe.Socket) bool {
	c := v.ports[s.NetNS]
	if c == nil {
		return false
	}
	n := c.local.of(s.Local.Port())
	return n > 2 && n > c.remote.of(s.Remote.Port())
}
