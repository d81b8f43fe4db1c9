package model

import "github.com/closewait/closewait/tcp"

// Step is the whole model: what a connection is after an event, and what it
// does about it. It never panics, whatever c and e are, and allocates nothing.
// Time must not run backwards between the Steps of one connection.
func Step(p *Profile, c Conn, e Event, now Time) (next Conn, fx Effects) {
	next = c
	s := step{p: p, c: &next, fx: &fx, now: now}
	if next.state == 0 {
		next.state = tcp.Closed
	}
	if e.Kind != KindArrive && e.Kind != KindTick {
		fx.Result.Call = e.Kind
	}
	s.forgetChallenge()
	s.take(&e)
	s.output()
	s.acknowledge()
	return next, fx
}

// step is one Step under way: the connection as it changes, and what it does.
type step struct {
	p   *Profile
	c   *Conn
	fx  *Effects
	now Time
	// challenges: the ACK that is owed is a challenge ACK.
	challenges bool
}

// take lets the event do its work, sending of data and ACKs excepted.
func (s *step) take(e *Event) {
	switch e.Kind {
	case KindTick:
		s.tick()
	case KindArrive:
		s.arrive(e)
	case KindOpenActive:
		s.openActive(e.ISS)
	case KindOpenPassive:
		s.openPassive()
	case KindWrite:
		s.write(e.N)
	case KindRead, KindPeek:
		s.read(e.N, e.Kind == KindPeek)
	case KindShutdown:
		s.shutdown(e.How)
	case KindClose, KindExit:
		s.close()
	case KindAbort:
		s.abortClose()
	case KindDestroy:
		s.destroy()
	case KindStatus:
	case KindGetError:
		s.fx.Result.Err = s.takeError()
	case KindKeepAlive, KindUserTimeout, KindLinger, KindLinger2, KindNoDelay:
		s.option(e)
	default:
		s.fail(EINVAL)
	}
}

// fail makes the user call return an error.
func (s *step) fail(err Errno) { s.fx.Result.Err = err }

// note tells the application something.
func (s *step) note(n Notes) { s.fx.Notes |= n }

// drop says why a segment is not processed further.
func (s *step) drop(d Drop) { s.fx.Dropped = d }

// in reports whether the state is one of a set.
func (c *Conn) in(states stateSet) bool { return c.state < 16 && states&(1<<c.state) != 0 }

// stateSet is a set of tcp.States, a bit for each.
type stateSet uint16

const (
	// canReceive are the states in which data from the peer is still expected.
	canReceive = stateSet(1<<tcp.Established | 1<<tcp.FinWait1 | 1<<tcp.FinWait2)
	// canSend are the states in which data or a FIN may be left to send.
	canSend = stateSet(1<<tcp.Established | 1<<tcp.CloseWait | 1<<tcp.FinWait1 | 1<<tcp.Closing | 1<<tcp.LastAck)
	// opening are the states of the handshake.
	opening = stateSet(1<<tcp.SynSent | 1<<tcp.SynReceived)
	// hasPeer are the states in which a RST would tell the peer something new:
	// those of §3.10.5 in which ABORT sends one.
	hasPeer = stateSet(1<<tcp.SynReceived | 1<<tcp.Established | 1<<tcp.FinWait1 | 1<<tcp.FinWait2 | 1<<tcp.CloseWait)
	// unborn are the states without a connection.
	unborn = stateSet(1<<tcp.Closed | 1<<tcp.Listen)
)

// end takes the connection to CLOSED, from which nothing leads back but a new
// open. What a read may still return stays, and so does the error.
func (s *step) end(err Errno) {
	c := s.c
	kept := Conn{
		state: tcp.Closed, soErr: c.soErr, endErr: err,
		iss: c.iss, una: c.nxt, nxt: c.nxt, end: c.nxt,
		irs: c.irs, rcvNxt: c.rcvNxt, adv: c.rcvNxt, copied: c.copied,
		mss: c.mss, sndBuf: c.sndBuf, rcvBuf: c.rcvBuf, rto: c.rto,
		keepIdle: c.keepIdle, keepEvery: c.keepEvery, keepProbes: c.keepProbes,
		flags: c.flags & (passive | wasOpen | synced | synAcked | finQueued | finSent | finAcked | finHere |
			readShut | readTold | detached | keepOn | lingerZero | noDelay),
	}
	if err != OK {
		s.note(Failed)
		if !c.has(detached) {
			kept.soErr = err
		}
	}
	*c = kept
	s.note(Ended)
}

// endByReset is end, when a RST was sent or has come.
func (s *step) endByReset(err Errno) {
	if s.p.ResetDiscards {
		s.discardUnread()
	}
	s.end(err)
}

// discardUnread throws away what the application has not read. A FIN that it
// has not seen stays.
func (s *step) discardUnread() {
	s.c.copied = s.c.copied.Add(s.c.Unread())
}

// takeError reads and clears SO_ERROR.
func (s *step) takeError() Errno {
	err := s.c.soErr
	s.c.soErr = OK
	return err
}
