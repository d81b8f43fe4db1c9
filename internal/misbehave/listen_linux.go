package misbehave

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// host is the address of the server; a mapped one if the side that asks has
// dual-stack sockets.
func (c *cast) host(mapped bool) netip.Addr {
	ip := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if c.spec.IPv6 {
		ip = netip.IPv6Loopback()
	}
	if c.spec.Host != "" {
		ip = netip.MustParseAddr(c.spec.Host) // playFor has parsed it
	}
	if mapped && ip.Is4() {
		return netip.AddrFrom16(ip.As16())
	}
	return ip
}

// listenAll opens the listeners: the culprits' for inbound kinds, the peer's for
// outbound ones, both for a relay.
func (c *cast) listenAll() error {
	port := c.spec.Port
	if c.play.inbound {
		if err := c.listenInbound(port); err != nil {
			return err
		}
		if port != 0 {
			port++
		}
	}
	if c.play.inbound && !c.play.relay || c.play.alone {
		return nil
	}
	o := order{Op: "listen", Addr: netip.AddrPortFrom(c.host(false), port), Backlog: c.backlog(), Within: stepWithin}
	if c.play.refuse {
		o.Backlog = onlyBind
	}
	a, err := c.peer.do(o)
	if err != nil {
		return err
	}
	if !c.play.refuse {
		c.hear(c.peer, a)
	}
	c.outAddr = netip.AddrPortFrom(c.host(c.spec.Mapped), a.Socks[0].Local.Port())
	return nil
}

// listenInbound opens the first worker's listener and lends it to the others, as
// a prefork server's children have it.
func (c *cast) listenInbound(port uint16) error {
	at := netip.AddrPortFrom(c.host(c.spec.Mapped), port)
	o := order{Op: "listen", Addr: at, Backlog: c.backlog(), Share: c.play.bystander, Within: stepWithin}
	a, err := c.workers[0].do(o)
	if err != nil {
		return err
	}
	c.hear(c.workers[0], a)
	if c.play.waiting && a.N+1 < c.spec.Count {
		return fmt.Errorf("%d connections do not fit the listener's queue of %d: raise net.core.somaxconn in that namespace", c.spec.Count, a.N+1)
	}
	c.inAddr = netip.AddrPortFrom(c.host(false), a.Socks[0].Local.Port())
	for _, w := range c.workers[1:] {
		if err := c.lend(w); err != nil {
			return err
		}
	}
	if c.bystander == nil {
		return nil
	}
	o.Addr = netip.AddrPortFrom(at.Addr(), c.inAddr.Port())
	if a, err = c.bystander.do(o); err == nil {
		c.hear(c.bystander, a)
	}
	return err
}

// lend passes the first worker's listener to another one.
func (c *cast) lend(to *actor) error {
	first := c.workers[0]
	if _, err := first.do(order{Op: "lend", Within: stepWithin}); err != nil {
		return err
	}
	fds := first.ctl.take()
	a, err := to.do(order{Op: "borrow", Within: stepWithin}, fds...)
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
	if err != nil {
		return err
	}
	last := len(c.ears) - 1
	c.ears[last].AlsoHeldBy = append(c.ears[last].AlsoHeldBy, Holder{PID: to.pid(), FD: a.Socks[0].FD})
	return nil
}

func (c *cast) hear(a *actor, got answer) {
	c.batch = min(c.batch, max(got.N, 1))
	c.ears = append(c.ears, c.conn(a, "main", &got.Socks[0], ""))
}

func (c *cast) backlog() int {
	switch {
	case c.spec.Backlog > 0:
		return c.spec.Backlog
	case c.play.waiting:
		return max(batchMax, c.spec.Count, c.spec.Max)
	}
	return batchMax
}
