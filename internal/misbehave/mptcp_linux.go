package misbehave

import "github.com/closewait/closewait/tcp"

// The kernel shows no receive queue for a Multipath TCP socket, so both kinds look
// alike to it. An orphan stays a whole socket in FIN_WAIT_2.

var drainedMPTCP = truth{State: tcp.FinWait2, Orphan: true, MayBeGone: true, Cause: causeOrphanDraining}

func eofUnreadMPTCP(s *scene) {
	s.open()
	s.exchange()
	s.peer.close()
	s.culprit.expect(truth{State: tcp.CloseWait, Cause: causeEOFUnread})
	s.peer.expect(drainedMPTCP)
}

func eofIgnoredMPTCP(s *scene) {
	s.open()
	s.exchange()
	s.peer.close()
	s.culprit.readAll()
	s.culprit.expect(ignored)
	s.peer.expect(drainedMPTCP)
}
