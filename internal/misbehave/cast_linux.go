package misbehave

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"
)

// stepWithin bounds one step of a script; Start's context bounds them all.
const stepWithin = time.Minute

// cast is a running program: its processes, and the book of what the kernel
// confirmed of each socket. The mutex is held while a script plays.
type cast struct {
	spec Spec
	play play

	mu        sync.Mutex
	leash     *leash
	workers   []*actor
	peer      *actor
	bystander *actor // a healthy process beside the culprits, for some kinds
	holders   []int  // pids of those that inherited the first worker's connections
	next      int    // index of the next connection
	batch     int    // connections in one scene
	scenes    []played
	book      map[place]Conn
	ears      []Conn // listeners
	inAddr    netip.AddrPort
	outAddr   netip.AddrPort
	stopped   bool
	growErr   error
	growDone  chan struct{} // closed when the growing goroutine has ended; nil if there is none

	// ended is closed, by end, when nothing is to be waited for any more.
	ended chan struct{}
	end   func()
}

// played is a scene that was.
type played struct{ worker, from, to int }

// batchMax is how many connections a step handles at once. A batch costs at least
// the 40 ms for which the ACK of an unread FIN is delayed (tcp_fin in
// net/ipv4/tcp_input.c), so it is large; the listener's queue has to take it.
const batchMax = 1000

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
	c := &cast{spec: s, play: play, book: map[place]Conn{}, batch: batchMax, ended: make(chan struct{})}
	c.end = sync.OnceFunc(func() { close(c.ended) })
	if err := c.start(ctx); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Kind, errors.Join(err, c.stop()))
	}
	if s.Growth > 0 {
		c.growDone = make(chan struct{})
		go c.grow()
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
		if c.bystander, err = hire(c.spec, "bystander", c.spec.Title, c.leash.far); err != nil {
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
	for _, a := range append(slices.Clone(c.workers), c.bystander) {
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

// perform plays the script for n more connections, each worker having its part.
func (c *cast) perform(n int) error {
	for w := range c.workers {
		part := (n + len(c.workers) - 1 - w) / len(c.workers)
		for part > 0 {
			batch := min(part, c.batch)
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

// actors are all processes this one started itself, culprits first.
func (c *cast) actors() []*actor {
	all := slices.Clone(c.workers)
	for _, a := range []*actor{c.bystander, c.peer} {
		if a != nil {
			all = append(all, a)
		}
	}
	return all
}

func (c *cast) killAll() {
	c.end()
	for _, a := range c.actors() {
		_ = a.cmd.Process.Kill()
	}
}

// stopWithin bounds how long a program may take to vanish.
const stopWithin = time.Minute

func (c *cast) stop() error {
	c.end()
	if c.growDone != nil {
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
