package misbehave

import "github.com/closewait/closewait/tcp"

// idiag_timer (linux/inet_diag.h).
const (
	timerRetransmit = 1
	timerKeepalive  = 2
	timerProbe      = 4
)

func blockedIn(state tcp.State) truth {
	return truth{State: state, SendQ: something, Timer: timerProbe, Cause: causeSendBlocked}
}

func orphaned(t truth) truth {
	t.Orphan = true
	return t
}

// withFIN is t with the peer's FIN unread.
func withFIN(t truth) truth {
	t.RecvQ = 1
	return t
}

// stalled is the peer that does not read and has sent a FIN: to it this is data
// that its application leaves unread.
var stalled = truth{State: tcp.FinWait2, RecvQ: something, Cause: causeDataUnread}

// paused is the peer that does not read, with the connection still open both ways.
var paused = truth{State: tcp.Established, RecvQ: something}

// blocked: the client half-closes (or not) and does not read what the server sends.
func blocked(s *scene, half bool) {
	s.open()
	s.peer.send(requestBytes)
	s.culprit.recv(requestBytes)
	if half {
		s.peer.shutdown()
		s.culprit.readAll()
	}
	s.culprit.fill()
}

func sendBlocked(s *scene) {
	blocked(s, true)
	s.culprit.expect(blockedIn(tcp.CloseWait))
	s.peer.expect(stalled)
}

func sendBlockedFinWait1(s *scene) {
	blocked(s, false)
	s.culprit.shutdown()
	s.culprit.expect(blockedIn(tcp.FinWait1))
	s.peer.expect(paused)
}

func sendBlockedFinWait1Orphan(s *scene) {
	blocked(s, false)
	s.culprit.close()
	s.culprit.expect(orphaned(blockedIn(tcp.FinWait1)))
	s.peer.expect(paused)
}

// sendBlockedClosing: our FIN waits behind the data when the peer's arrives.
func sendBlockedClosing(s *scene) {
	blocked(s, false)
	s.culprit.shutdown()
	s.culprit.await(blockedIn(tcp.FinWait1))
	s.peer.shutdown()
	s.culprit.expect(withFIN(blockedIn(tcp.Closing)))
	s.peer.expect(stalled)
}

func sendBlockedLastAck(s *scene) {
	blocked(s, true)
	s.culprit.shutdown()
	s.culprit.expect(blockedIn(tcp.LastAck))
	s.peer.expect(stalled)
}

func sendBlockedLastAckOrphan(s *scene) {
	blocked(s, true)
	s.culprit.close()
	s.culprit.expect(orphaned(blockedIn(tcp.LastAck)))
	s.peer.expect(stalled)
}

// waitingPeer is a peer that has shut down its side and waits for ours.
var waitingPeer = truth{State: tcp.FinWait2, Cause: causePeerKeepsOpen}

// sendBlockedRetransmit: the answer to a half-closed client is never ACKed.
func sendBlockedRetransmit(s *scene) {
	halfClose(s)
	s.peer.await(waitingPeer)
	s.peer.deafen()
	s.culprit.send(responseBytes)
	s.culprit.expect(truth{State: tcp.CloseWait, SendQ: responseBytes, Timer: timerRetransmit, Cause: causeSendBlocked})
	s.peer.expect(waitingPeer)
}
