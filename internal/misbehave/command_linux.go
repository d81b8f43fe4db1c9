package misbehave

import (
	"errors"
	"fmt"

	"github.com/closewait/closewait/tcp"
)

var errStopped = errors.New("the program is stopped")

// more plays the script again.
func (c *cast) more(n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return errStopped
	}
	if c.spec.Shared {
		return errors.New("what is inherited does not grow: start without Shared")
	}
	return c.perform(n)
}

// encore runs step once for each scene that was played.
func (c *cast) encore(step func(*scene)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return errStopped
	}
	for _, played := range c.scenes {
		s := c.newScene(played.worker, played.from, played.to)
		step(s)
		if s.err != nil {
			return s.err
		}
	}
	return nil
}

// first is the record's entry for the first connection of a scene.
func (p part) first() Conn {
	return p.scene.cast.book[place{peer: p.actor.peer, leg: p.leg, index: p.scene.from}]
}

// forget takes a part's sockets from the record.
func (p part) forget() {
	for i := p.scene.from; i < p.scene.to; i++ {
		delete(p.scene.cast.book, place{peer: p.actor.peer, leg: p.leg, index: i})
	}
}

func (c *cast) write(n int) error {
	return c.encore(func(s *scene) {
		s.culprit.send(n)
		half := s.culprit.first().State == tcp.CloseWait
		if other := s.peer.first(); !half || other.State != 0 && other.Cause != causeOrphanDraining {
			return
		}
		s.culprit.expect(masked)
		if s.err == nil {
			s.peer.forget()
		}
	})
}

func (c *cast) readAll() error {
	return c.encore(func(s *scene) {
		if state := s.culprit.first().State; state != tcp.CloseWait {
			s.fail("read to the end: no end has come in %v", state)
		}
		s.culprit.readAll()
		s.culprit.expect(truth{State: tcp.CloseWait, SendQ: anything, Cause: causeEOFIgnored})
	})
}

func (c *cast) closeAll() error {
	return c.encore(func(s *scene) {
		for _, leg := range s.legs() {
			s.culprit.on(leg).close()
			if s.err == nil {
				s.culprit.on(leg).inherit()
			}
		}
	})
}

// inherit leaves a part's sockets to the next process that holds them, if any.
func (p part) inherit() {
	for i := p.scene.from; i < p.scene.to; i++ {
		at := place{peer: p.actor.peer, leg: p.leg, index: i}
		conn, ok := p.scene.cast.book[at]
		if !ok || len(conn.AlsoHeldBy) == 0 {
			delete(p.scene.cast.book, at)
			continue
		}
		conn.PID, conn.FD = conn.AlsoHeldBy[0].PID, conn.AlsoHeldBy[0].FD
		conn.AlsoHeldBy = conn.AlsoHeldBy[1:]
		p.scene.cast.book[at] = conn
	}
}

func (c *cast) peerClose() error {
	return c.encore(func(s *scene) {
		for _, leg := range s.legs() {
			s.peer.on(leg).close()
			if s.err == nil {
				s.peer.on(leg).forget()
			}
		}
	})
}

func (s *scene) legs() []string {
	if s.cast.play.relay {
		return []string{mainLeg, upstreamLeg}
	}
	return []string{mainLeg}
}

// newScene is a scene for connections that exist or are to be made.
func (c *cast) newScene(worker, from, to int) *scene {
	s := &scene{cast: c, worker: worker, from: from, to: to}
	s.culprit = part{scene: s, actor: c.workers[worker], leg: mainLeg}
	s.peer = part{scene: s, actor: c.peer, leg: mainLeg}
	return s
}

// scene plays the script for n more connections of one worker.
func (c *cast) scene(worker, n int) error {
	s := c.newScene(worker, c.next, c.next+n)
	c.next += n
	c.play.script(s)
	if s.err != nil {
		return fmt.Errorf("connections %d to %d: %w", s.from, s.to-1, s.err)
	}
	c.scenes = append(c.scenes, played{worker: worker, from: s.from, to: s.to})
	return nil
}
