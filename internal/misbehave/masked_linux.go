package misbehave

import "github.com/closewait/closewait/tcp"

var masked = truth{State: tcp.Closed, Cause: causeMasked}

// maskedWrite is C8: data for a peer that is gone draws a RST.
func maskedWrite(s *scene) {
	s.open()
	s.exchange()
	s.peer.close()
	s.culprit.await(unread)
	s.culprit.send(1)
	s.culprit.expect(masked)
}

// maskedKeepAlive is C9: withDefaults makes the peer's FIN_WAIT_2 and the probe's
// idle time a second each.
func maskedKeepAlive(s *scene) {
	s.open()
	s.exchange()
	s.peer.close()
	s.culprit.await(unread)
	s.culprit.expect(masked)
}

func maskedLinger(s *scene) {
	s.open()
	s.exchange()
	s.peer.shutdown()
	s.culprit.await(unread)
	s.peer.lingerZero()
	s.peer.close()
	s.culprit.expect(masked)
}

// maskedReset: close() with data unread sends a RST at once (RFC 9293 §3.6.1, tcp_close).
func maskedReset(s *scene) {
	s.open()
	s.exchange()
	rejected(s)
}

func maskedUnheard(s *scene) {
	s.open()
	rejected(s)
}

func rejected(s *scene) {
	s.culprit.send(requestBytes)
	s.peer.await(truth{State: tcp.Established, RecvQ: requestBytes})
	s.peer.close()
	s.culprit.expect(masked)
}
