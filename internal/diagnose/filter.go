package diagnose

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// Filter keeps the sockets that match every criterion given; within one
// criterion any value will do. An empty criterion matches everything.
type Filter struct {
	PIDs  []int
	Ports []uint16 // local or remote
	Peers []Peer
	// States and Causes are what they say.
	States []tcp.State
	Causes []Cause
	// Containers are ids or beginnings of ids, pod uids, or unit names.
	Containers []string
	// NetNS are names, or inode numbers in decimal.
	NetNS []string
}

// Peer is a remote network, and a port or 0 for any.
type Peer struct {
	Prefix netip.Prefix
	Port   uint16
}

func (f *Filter) empty() bool {
	return len(f.PIDs)+len(f.Ports)+len(f.Peers)+len(f.States)+len(f.Causes)+len(f.Containers)+len(f.NetNS) == 0
}

func (f *Filter) keeps(v *view, s *observe.Socket, d *verdict) bool {
	return any1(f.States, func(x tcp.State) bool { return x == s.State }) &&
		any1(f.Causes, func(x Cause) bool { return x == d.cause }) &&
		any1(f.Ports, func(x uint16) bool { return x == s.Local.Port() || x == s.Remote.Port() }) &&
		any1(f.Peers, func(x Peer) bool { return x.matches(s.Flow().Remote) }) &&
		any1(f.PIDs, func(x int) bool { return f.heldBy(v, s, d, x) }) &&
		any1(f.Containers, func(x string) bool { return inContainer(v, d, x) }) &&
		any1(f.NetNS, func(x string) bool { return inNamespace(v, s, x) })
}

func any1[T any](want []T, ok func(T) bool) bool {
	return len(want) == 0 || slices.ContainsFunc(want, ok)
}

func (p Peer) matches(remote netip.AddrPort) bool {
	return p.Prefix.Contains(remote.Addr().WithZone("")) && (p.Port == 0 || p.Port == remote.Port())
}

// heldBy: a never-accepted socket has no holder; its listener's count for it.
func (f *Filter) heldBy(v *view, s *observe.Socket, d *verdict, pid int) bool {
	holders := s.Holders
	if d.listener >= 0 {
		holders = v.cur.Sockets[d.listener].Holders
	}
	return slices.ContainsFunc(holders, func(h observe.Holder) bool { return int(h.PID) == pid })
}

func inContainer(v *view, d *verdict, name string) bool {
	if d.program < 0 {
		return false
	}
	p := v.programs.all[d.program].place
	return p.container != "" && strings.HasPrefix(p.container, name) || name == p.pod || name == p.unit
}

func inNamespace(v *view, s *observe.Socket, name string) bool {
	if n := v.namespaces[s.NetNS]; n != nil && n.Name != "" && n.Name == name {
		return true
	}
	return strconv.FormatUint(s.NetNS, 10) == name
}
