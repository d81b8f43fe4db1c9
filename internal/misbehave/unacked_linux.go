package misbehave

import "github.com/closewait/closewait/tcp"

func unackedIn(state tcp.State) truth {
	return truth{State: state, SendQ: 1, Timer: timerRetransmit, Cause: causeFinUnacked}
}

func finUnacked(s *scene) {
	s.open()
	s.exchange()
	s.peer.deafen()
	s.culprit.shutdown()
	s.culprit.expect(unackedIn(tcp.FinWait1))
	s.peer.expect(truth{State: tcp.Established})
}

func finUnackedOrphan(s *scene) {
	s.open()
	s.exchange()
	s.peer.deafen()
	s.culprit.close()
	s.culprit.expect(orphaned(unackedIn(tcp.FinWait1)))
	s.peer.expect(truth{State: tcp.Established})
}

// finUnackedClosing: a simultaneous close (RFC 9293 figure 13) of which the
// culprit's half gets lost. The peer does not hear its FIN ACKed either.
func finUnackedClosing(s *scene) {
	s.open()
	s.exchange()
	s.peer.deafen()
	s.culprit.shutdown()
	s.culprit.await(unackedIn(tcp.FinWait1))
	s.peer.shutdown()
	s.culprit.expect(withFIN(unackedIn(tcp.Closing)))
	s.peer.expect(unackedIn(tcp.FinWait1))
}

func finUnackedLastAck(s *scene) {
	halfClose(s)
	s.peer.await(waitingPeer)
	s.peer.deafen()
	s.culprit.shutdown()
	s.culprit.expect(unackedIn(tcp.LastAck))
	s.peer.expect(waitingPeer)
}

func finUnackedLastAckOrphan(s *scene) {
	halfClose(s)
	s.peer.await(waitingPeer)
	s.peer.deafen()
	s.culprit.close()
	s.culprit.expect(orphaned(unackedIn(tcp.LastAck)))
	s.peer.expect(waitingPeer)
}
