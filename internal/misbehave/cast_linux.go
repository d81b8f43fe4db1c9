package misbehave

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// stepWithin bounds one step of a script; Start's context bounds them all.
const stepWithin = 20 * time.Second

// cast is a running program: its processes, and the book of what the kernel
// confirmed of each socket. The mutex is held while a script plays.
type cast struct {
	spec Spec
	play play

	mu       sync.Mutex
	leash    *leash
	workers  []*actor
	peer     *actor
	bystand  *actor // a healthy process beside the culprits, for some kinds
	holders  []int  // pids of those that inherited the first worker's connections
	next     int    // index of the next connection
	scenes   []played
	book     map[place]Conn
	ears     []Conn // listeners
	inAddr   netip.AddrPort
	outAddr  netip.AddrPort
	stopped  bool
	growErr  error
	growDone chan struct{} // closed when the growing goroutine has ended
	growQuit func() // tells it to end
}

// played is a scene that was.
type played struct{ worker, from, to int }

// place is where a socket stands in the book.
type place struct {
	peer  bool
	leg   string
	index int
}

// Start starts a program and returns when the kernel has confirmed the state of
// every connection. ctx bounds the start only: the program runs until Stop, or
// until this process ends.
func Start(ctx context.Context, s Spec) (*Program, error) {
	if os.Getenv(roleVariable) != "" {
		return nil, errors.New("start a misbehaving program: main or TestMain has to call misbehave.Child first")
	}
	play, err := playFor(s)
	if err != nil {
		return nil, err
	}
	s = s.withDefaults()
	c := &cast{spec: s, play: play, book: map[place]Conn{}}
	if err := c.start(ctx); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Kind, errors.Join(err, c.stop()))
	}
	if s.Growth > 0 {
		quit := make(chan struct{})
		c.growDone, c.growQuit = make(chan struct{}), sync.OnceFunc(func() { close(quit) })
		go c.grow(quit)
	}
	return &Program{troupe: c}, nil
}

func (c *cast) start(ctx context.Context) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leash, err = newLeash(); err != nil {
		return err
	}
	if err := c.hireAll(); err != nil {
		return err
	}
	// A canceled start ends as if the actors had died.
	unhook := context.AfterFunc(ctx, c.killAll)
	err = c.rehearse()
	if !unhook() && ctx.Err() != nil {
		err = ctx.Err()
	}
	return err
}

// rehearse brings every actor to where the script can begin, and plays it.
func (c *cast) rehearse() error {
	if err := c.instruct(); err != nil {
		return err
	}
	if err := c.listenAll(); err != nil {
		return err
	}
	if err := c.perform(c.spec.Count); err != nil {
		return err
	}
	if c.spec.Shared {
		return c.share()
	}
	return nil
}

func (c *cast) hireAll() error {
	culprits := c.spec.Workers
	if c.spec.Shared {
		culprits = 1 // the others inherit
	}
	for range culprits {
		a, err := hire(c.spec, "culprit", c.spec.Title, c.leash.far)
		if err != nil {
			return err
		}
		c.workers = append(c.workers, a)
	}
	a, err := hire(c.spec, "peer", "(misbehave:peer)", c.leash.far)
	if err != nil {
		return err
	}
	a.peer, c.peer = true, a
	if c.play.bystander {
		// The same program as the culprit, so that only its pid tells it apart.
		if c.bystand, err = hire(c.spec, "bystander", c.spec.Title, c.leash.far); err != nil {
			return err
		}
	}
	return nil
}

// instruct tells every actor its settings.
func (c *cast) instruct() error {
	s := c.spec
	theirs := settings{UID: s.UID, NoFile: s.NoFile, KeepAlive: s.KeepAlive, KeepIdle: s.KeepIdle, KeepIntvl: s.KeepIntvl,
		KeepCnt: s.KeepCnt, Linger2: c.play.linger2, Buffer: c.play.buffer, MPTCP: c.play.mptcp}
	for _, a := range append(slices.Clone(c.workers), c.bystand) {
		if a == nil {
			continue
		}
		if _, err := a.do(order{Op: "init", Settings: &theirs, Within: stepWithin}); err != nil {
			return err
		}
	}
	peers := settings{Linger2: s.PeerLinger, Buffer: c.play.buffer, MPTCP: c.play.mptcp}
	_, err := c.peer.do(order{Op: "init", Settings: &peers, Within: stepWithin})
	return err
}

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
		port = 0
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
	if c.bystand == nil {
		return nil
	}
	o.Addr = netip.AddrPortFrom(at.Addr(), c.inAddr.Port())
	if a, err = c.bystand.do(o); err == nil {
		c.hear(c.bystand, a)
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
	c.ears = append(c.ears, c.conn(a, "main", &got.Socks[0], ""))
}

func (c *cast) backlog() int {
	switch {
	case c.spec.Backlog > 0:
		return c.spec.Backlog
	case c.play.waiting:
		return max(stepBatch, c.spec.Count, c.spec.Max)
	}
	return 2 * stepBatch
}

// perform plays the script for n more connections, each worker having its part.
func (c *cast) perform(n int) error {
	for w := range c.workers {
		part := (n + len(c.workers) - 1 - w) / len(c.workers)
		for part > 0 {
			batch := min(part, stepBatch)
			if err := c.scene(w, batch); err != nil {
				return err
			}
			part -= batch
		}
	}
	return nil
}

// share forks the other workers, which inherit what the first one has.
func (c *cast) share() error {
	for range c.spec.Workers - 1 {
		a, err := c.workers[0].do(order{Op: "fork", Leg: mainLeg, To: c.next, Title: c.spec.Title, Within: stepWithin})
		if err != nil {
			return err
		}
		c.holders = append(c.holders, a.N)
		for at, conn := range c.book {
			if !at.peer && at.leg == mainLeg && conn.FD >= 0 {
				conn.AlsoHeldBy = append(conn.AlsoHeldBy, Holder{PID: a.N, FD: firstHeld + at.index})
				c.book[at] = conn
			}
		}
	}
	return nil
}

// conn turns an actor's row into an entry of the record.
func (c *cast) conn(a *actor, leg string, r *row, cause string) Conn {
	entry := Conn{
		Local: r.Local, Remote: r.Remote, State: r.State, Cause: cause, Culprit: !a.peer && a != c.bystand, Leg: leg,
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

// actors are all processes this one started itself, culprits first.
func (c *cast) actors() []*actor {
	all := slices.Clone(c.workers)
	for _, a := range []*actor{c.bystand, c.peer} {
		if a != nil {
			all = append(all, a)
		}
	}
	return all
}

func (c *cast) killAll() {
	for _, a := range c.actors() {
		_ = a.cmd.Process.Kill()
	}
}

// stopWithin bounds how long a program may take to vanish.
const stopWithin = 10 * time.Second

func (c *cast) stop() error {
	if c.growQuit != nil {
		c.growQuit()
		<-c.growDone
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil
	}
	c.stopped = true
	for _, a := range c.actors() {
		// Only tidiness: a stopped or dead actor is killed all the same.
		a.ctl.patience(2)
		_, _ = a.do(order{Op: "abort"})
	}
	for _, a := range c.actors() {
		a.dismiss()
	}
	if c.leash == nil {
		return nil
	}
	return c.leash.release(stopWithin)
}
