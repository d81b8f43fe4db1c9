package misbehave

import "github.com/closewait/closewait/tcp"

// What a culprit has whose peer ended the connection after an exchange.
var (
	unread  = truth{State: tcp.CloseWait, RecvQ: 1, Cause: causeEOFUnread}
	ignored = truth{State: tcp.CloseWait, Cause: causeEOFIgnored}
)

func eofUnread(s *scene) {
	s.open()
	s.exchange()
	s.idle()
	s.peer.close()
	s.culprit.expect(unread)
	s.peer.expect(drained)
}

func eofPeeked(s *scene) {
	s.open()
	s.exchange()
	s.idle()
	s.peer.close()
	s.culprit.peekEOF()
	s.culprit.expect(unread)
	s.peer.expect(drained)
}

// goodbyeBytes is as long as a TLS 1.2 close_notify record.
const goodbyeBytes = 31

func farewell(s *scene) {
	s.open()
	s.exchange()
	s.idle()
	s.peer.farewell(goodbyeBytes)
	s.culprit.expect(truth{State: tcp.CloseWait, RecvQ: goodbyeBytes + 1, Cause: causeEOFUnread})
	s.peer.expect(drained)
}

func tlsPool(s *scene) {
	s.open()
	s.exchangeTLS()
	s.idle()
	s.culprit.await(truth{State: tcp.Established})
	s.peer.close()
	s.culprit.await(truth{State: tcp.CloseWait, RecvQ: something})
	// A TLS 1.3 alert record: 5 bytes of header, 2 of alert, 1 of type, 16 of tag
	// (RFC 8446 §5.2).
	s.culprit.expect(truth{State: tcp.CloseWait, RecvQ: 24 + 1, Cause: causeEOFUnread})
	s.peer.expect(drained)
}

func eofIgnored(s *scene) {
	s.open()
	s.exchange()
	s.peer.close()
	s.culprit.readAll()
	s.culprit.expect(ignored)
	s.peer.expect(drained)
}

// eofCoalesced: one read takes the rest of the data and steps over the FIN.
func eofCoalesced(s *scene) {
	s.open()
	s.culprit.send(requestBytes)
	s.peer.recv(requestBytes)
	s.peer.send(responseBytes)
	s.peer.close()
	s.culprit.await(truth{State: tcp.CloseWait, RecvQ: responseBytes + 1})
	s.culprit.recvOnce(responseBytes)
	s.culprit.expect(ignored)
	s.peer.expect(drained)
}

// halfClose: the client asks and shuts down its side; the server has read both.
func halfClose(s *scene) {
	s.open()
	s.peer.send(requestBytes)
	s.peer.shutdown()
	s.culprit.readAll()
}

func answeredThenKept(s *scene) {
	halfClose(s)
	s.culprit.send(responseBytes)
	s.peer.recv(responseBytes)
	s.peer.close()
	s.culprit.expect(ignored)
	s.peer.expect(drained)
}

func slowAnswer(s *scene) {
	halfClose(s)
	s.culprit.expect(ignored)
	s.peer.expect(truth{State: tcp.FinWait2, Cause: causePeerKeepsOpen})
}

func halfCloseInUse(s *scene) {
	halfClose(s)
	// Once by hand, so that it flows when Start returns.
	s.culprit.send(drop)
	s.peer.recv(drop)
	s.culprit.drip()
	s.peer.drain()
	s.culprit.expect(truth{State: tcp.CloseWait, SendQ: anything, Cause: causeHalfCloseInUse})
	s.peer.expect(truth{State: tcp.FinWait2, RecvQ: anything, Cause: causeHalfCloseInUse})
}

func ownerless(s *scene) {
	s.open()
	s.exchange()
	s.peer.close()
	s.culprit.await(unread)
	s.culprit.fly()
	s.culprit.expect(truth{State: tcp.CloseWait, RecvQ: 1, Cause: causeOwnerless})
	s.peer.expect(drained)
}
