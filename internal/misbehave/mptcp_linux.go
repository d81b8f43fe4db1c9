package misbehave

import "github.com/closewait/closewait/tcp"

// The kernel shows no receive queue for a Multipath TCP socket, so both kinds look
// alike to it. What the peer's close leaves there is not in the record.

func eofUnreadMPTCP(s *scene) {
	s.open()
	s.exchange()
	s.peer.close()
	s.culprit.expect(truth{State: tcp.CloseWait, Cause: causeEOFUnread})
}

func eofIgnoredMPTCP(s *scene) {
	s.open()
	s.exchange()
	s.peer.close()
	s.culprit.readAll()
	s.culprit.expect(ignored)
}
