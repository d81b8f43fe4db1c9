package misbehave

import "github.com/closewait/closewait/tcp"

// peerKeepsOpen: the bug is on the other side.
func peerKeepsOpen(s *scene) {
	s.open()
	s.culprit.shutdown()
	s.culprit.expect(waitingPeer)
	s.peer.expect(unread)
}

func orphanDraining(s *scene) {
	s.open()
	s.exchange()
	s.culprit.close()
	s.culprit.expect(drained)
	s.peer.expect(unread)
}

// orphanDrainingLong: beyond 60 s the kernel keeps the whole socket, with its
// keepalive timer, before it shrinks it to a mini-socket (tcp_close).
func orphanDrainingLong(s *scene) {
	s.open()
	s.exchange()
	s.culprit.close()
	s.culprit.expect(truth{State: tcp.FinWait2, Timer: timerKeepalive, Orphan: true, Cause: causeOrphanDraining})
	s.peer.expect(unread)
}
