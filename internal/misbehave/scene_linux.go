package misbehave

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// The legs: a relay has two connections for each index.
const (
	mainLeg     = "main"
	upstreamLeg = "upstream"
)

// scene is one playing of a script, for the connections [from, to) of one worker.
// Its first error makes all later steps nothing, so that scripts read as prose.
type scene struct {
	cast     *cast
	worker   int
	from, to int
	culprit  part
	peer     part
	clients  []netip.AddrPort // the clients' addresses on the main leg, by index
	err      error
}

// part is an actor's part in a scene, on one leg.
type part struct {
	scene *scene
	actor *actor
	leg   string
}

func (p part) on(leg string) part {
	p.leg = leg
	return p
}

func (p part) do(o order) answer {
	s := p.scene
	if s.err != nil {
		return answer{}
	}
	o.Leg, o.From, o.To = p.leg, s.from, s.to
	if o.Within == 0 {
		o.Within = stepWithin
	}
	a, err := p.actor.do(o)
	s.err = err
	return a
}

func (p part) send(n int)       { p.do(order{Op: "send", Bytes: n}) }
func (p part) recv(n int)       { p.do(order{Op: "recv", Bytes: n}) }
func (p part) recvOnce(n int)   { p.do(order{Op: "recv-once", Bytes: n}) }
func (p part) readAll()         { p.do(order{Op: "read-all"}) } // to the zero
func (p part) peekEOF()         { p.do(order{Op: "peek-eof"}) }
func (p part) shutdown()        { p.do(order{Op: "shutdown"}) }
func (p part) close()           { p.do(order{Op: "close"}) }
func (p part) farewell(n int)   { p.do(order{Op: "farewell", Bytes: n}) } // the last data, and close
func (p part) lingerZero()      { p.do(order{Op: "linger-0"}) }
func (p part) deafen()          { p.do(order{Op: "deaf"}) }
func (p part) fly()             { p.do(order{Op: "fly"}) }
func (p part) fill()            { p.do(order{Op: "fill"}) }
func (p part) drip()            { p.do(order{Op: "drip"}) }
func (p part) drain()           { p.do(order{Op: "drain"}) }
func (p part) pump(into string) { p.do(order{Op: "pump", Into: into}) }

// await goes on when the kernel says t of every socket of the part.
func (p part) await(t truth) { p.do(order{Op: "expect", Truth: &t}) }

// expect is await, and enters the sockets in the record.
func (p part) expect(t truth) {
	p.enter(p.do(order{Op: "expect", Truth: &t}), t.Cause)
}

// expectWaiting expects sockets that nobody has accepted; the part is the
// listener's.
func (p part) expectWaiting(t truth) {
	t.Orphan = true
	p.enter(p.do(order{Op: "expect", Truth: &t, Peers: p.scene.clients}), t.Cause)
}

func (p part) enter(a answer, cause string) {
	c := p.scene.cast
	for i := range a.Socks {
		r := &a.Socks[i]
		if r.Gone {
			continue
		}
		entry := c.conn(p.actor, p.leg, r, cause)
		if cause == causeNeverAccepted {
			entry.PID = p.actor.pid()
		}
		c.book[place{peer: p.actor.peer, leg: p.leg, index: r.Index}] = entry
	}
}

// open connects the two and accepts, in the kind's direction.
func (s *scene) open() {
	client, server := s.culprit, s.peer
	if s.cast.play.inbound {
		client, server = server, client
	}
	s.connect(client)
	server.do(order{Op: "accept", Peers: s.clients})
}

// connect opens the main leg on the client's side only.
func (s *scene) connect(client part) {
	to := s.cast.outAddr
	if client.actor.peer {
		to = s.cast.inAddr
	}
	s.clients = s.dial(client, to)
}

// openUpstream connects a relay to its server.
func (s *scene) openUpstream() {
	clients := s.dial(s.culprit.on(upstreamLeg), s.cast.outAddr)
	s.peer.on(upstreamLeg).do(order{Op: "accept", Peers: clients})
}

func (s *scene) dial(client part, to netip.AddrPort) []netip.AddrPort {
	a := client.do(order{Op: "connect", Addr: to, Source: s.source(to.Addr())})
	addresses := make([]netip.AddrPort, len(a.Socks))
	for i := range a.Socks {
		addresses[i] = a.Socks[i].Local
	}
	return addresses
}

// portsEach is how many connections go out from one local address. Of the 28,232
// ports in the default range connect tries one half first, and searches long once
// that is used up (__inet_hash_connect in net/ipv4/inet_hashtables.c).
const portsEach = 12_000

// source is the client's address, unset for the kernel's choice. A large program
// needs several: 127.0.0.0/8 is all loopback.
func (s *scene) source(to netip.Addr) netip.Addr {
	block := s.from / portsEach
	if block == 0 || !to.Unmap().Is4() || !to.Unmap().IsLoopback() {
		return netip.Addr{}
	}
	ip := netip.AddrFrom4([4]byte{127, 0, 1 + byte(block/250), 1 + byte(block%250)})
	if to.Is4In6() {
		return netip.AddrFrom16(ip.As16())
	}
	return ip
}

// exchange is one request and its response, both read.
func (s *scene) exchange() {
	client, server := s.culprit, s.peer
	if s.cast.play.inbound {
		client, server = server, client
	}
	client.send(requestBytes)
	server.recv(requestBytes)
	server.send(responseBytes)
	client.recv(responseBytes)
}

// exchangeTLS is the same after a TLS handshake, for an outbound kind.
func (s *scene) exchangeTLS() {
	if s.err != nil {
		return
	}
	served := make(chan error, 1)
	o := order{Op: "tls-serve", Leg: mainLeg, From: s.from, To: s.to, Within: stepWithin}
	go func() {
		_, err := s.peer.actor.do(o)
		served <- err
	}()
	s.culprit.do(order{Op: "tls-ask"})
	s.err = errors.Join(s.err, <-served)
}

// idle lets the connections be unused.
func (s *scene) idle() {
	if s.err != nil || s.cast.spec.Idle == 0 {
		return
	}
	select {
	case <-time.After(s.cast.spec.Idle):
	case <-s.cast.ended:
		s.err = errStopped
	}
}

// fail ends the scene.
func (s *scene) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}
