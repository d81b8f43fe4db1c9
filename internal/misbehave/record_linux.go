package misbehave

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
)

// place is where a socket stands in the book.
type place struct {
	peer  bool
	leg   string
	index int
}

// conn turns an actor's row into an entry of the record.
func (c *cast) conn(a *actor, leg string, r *row, cause string) Conn {
	entry := Conn{
		Local: r.Local, Remote: r.Remote, State: r.State, Cause: cause, Culprit: !a.peer && a != c.bystander, Leg: leg,
		FD: r.FD, Inode: r.Inode, Cookie: r.Cookie, RecvQ: r.RecvQ, SendQ: r.SendQ, Timer: r.Timer, MPTCP: r.MPTCP,
	}
	entry.Inbound = c.play.inbound != a.peer
	if leg == upstreamLeg {
		entry.Inbound = a.peer
	}
	if r.FD >= 0 {
		entry.PID = a.pid()
	}
	return entry
}

func (c *cast) pids() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	var pids []int
	for _, w := range c.workers {
		pids = append(pids, w.pid())
	}
	return append(pids, c.holders...)
}

func (c *cast) peerPID() int { return c.peer.pid() }

func (c *cast) service() netip.AddrPort {
	if c.play.inbound {
		return c.inAddr
	}
	return plain(c.outAddr)
}

func (c *cast) record() []Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	places := slices.SortedFunc(maps.Keys(c.book), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.index, b.index), cmp.Compare(a.leg, b.leg), cmp.Compare(side(a.peer), side(b.peer)))
	})
	out := make([]Conn, len(places))
	for i, at := range places {
		out[i] = c.book[at]
	}
	return out
}

func side(peer bool) int {
	if peer {
		return 1
	}
	return 0
}

func (c *cast) listeners() []Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.ears)
}

func (c *cast) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.growErr
}
