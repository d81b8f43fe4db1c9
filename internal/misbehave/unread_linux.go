package misbehave

import "github.com/closewait/closewait/tcp"

// longBytes is an answer that is no farewell.
const longBytes = 100_000

// longAnswer: the client asks, the server answers at length and closes.
func longAnswer(s *scene) {
	s.open()
	s.culprit.send(requestBytes)
	s.peer.recv(requestBytes)
	s.peer.send(longBytes)
	s.peer.close()
}

func dataUnread(s *scene) {
	longAnswer(s)
	s.culprit.expect(truth{State: tcp.CloseWait, RecvQ: longBytes + 1, Cause: causeDataUnread})
	s.peer.expect(drained)
}

func dataUnreadPartial(s *scene) {
	longAnswer(s)
	s.culprit.recv(longBytes / 10)
	s.culprit.expect(truth{State: tcp.CloseWait, RecvQ: longBytes - longBytes/10 + 1, Cause: causeDataUnread})
	s.peer.expect(drained)
}

func dataUnreadInbound(s *scene) {
	s.open()
	s.peer.send(requestBytes)
	s.peer.close()
	s.culprit.expect(truth{State: tcp.CloseWait, RecvQ: requestBytes + 1, Cause: causeDataUnread})
	s.peer.expect(drained)
}
