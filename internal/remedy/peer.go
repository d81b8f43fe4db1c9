package remedy

import (
	"net/netip"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// peers finds the other end of a connection, which shows on this host only when it
// is on this host.
type peers struct {
	halfClosed map[flow]*observe.Socket
	entered    map[uint64]bool
	torn       bool
}

// flow names a connection within the host: loopback addresses mean another one in
// each namespace.
type flow struct {
	ns            uint64
	local, remote netip.AddrPort
}

func flowOf(ns uint64, f tcp.Flow) flow {
	if !f.Local.Addr().IsLoopback() && !f.Remote.Addr().IsLoopback() {
		ns = 0
	}
	return flow{ns, f.Local, f.Remote}
}

func newPeers(s *observe.Snapshot) peers {
	p := peers{halfClosed: map[flow]*observe.Socket{}, entered: map[uint64]bool{}}
	for i := range s.Sockets {
		if x := &s.Sockets[i]; x.State.HalfClosed() && !x.MPTCP {
			p.halfClosed[flowOf(x.NetNS, x.Flow())] = x
		}
	}
	for i := range s.Namespaces {
		p.entered[s.Namespaces[i].ID] = s.Namespaces[i].Entered
	}
	for _, l := range s.Limits {
		p.torn = p.torn || l.Code == observe.LimitTorn
	}
	return p
}

// presence is what is known of the other end.
type presence uint8

const (
	// unknown: it is on another host.
	unknown presence = iota
	// alive: it is on this host, and an application holds it. It answers probes.
	alive
	// leaving: its application has closed it; the kernel answers probes for a while.
	leaving
	// gone: there is no such socket. A probe draws a RST.
	gone
)

// of is the presence of the other end of s, and that end if it is there.
func (p *peers) of(s *observe.Socket) (presence, *observe.Socket) {
	other := p.halfClosed[flowOf(s.NetNS, s.Flow().Reverse())]
	switch {
	case other == nil && s.Remote.Addr().Unmap().IsLoopback() && p.entered[s.NetNS] && !p.torn:
		return gone, nil
	case other == nil:
		return unknown, nil
	// In CLOSE_WAIT it answers even where nobody has accepted it.
	case other.Inode != 0 || len(other.Holders) > 0 || other.State == tcp.CloseWait:
		return alive, other
	}
	return leaving, other
}
