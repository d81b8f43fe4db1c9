package misbehave

import (
	"time"

	"github.com/closewait/closewait/tcp"
)

// drained is what a closed socket leaves once its FIN is ACKed: the kernel alone
// has it, for tcp_fin_timeout. It may be gone early when there are too many
// (tcp_max_tw_buckets).
var drained = truth{State: tcp.FinWait2, Timer: 3, Orphan: true, MayBeGone: true, Cause: causeOrphanDraining}

func neverAccepted(s *scene) {
	s.connect(s.peer)
	s.peer.close()
	s.culprit.expectWaiting(truth{State: tcp.CloseWait, RecvQ: 1, Cause: causeNeverAccepted})
	s.peer.expect(drained)
}

func neverAcceptedData(s *scene) {
	s.connect(s.peer)
	s.peer.send(requestBytes)
	s.peer.close()
	s.culprit.expectWaiting(truth{State: tcp.CloseWait, RecvQ: requestBytes + 1, Cause: causeNeverAccepted})
	s.peer.expect(drained)
}

// reusePort connects until as many connections as wanted have hit the listener
// that does not accept: the kernel picks one of the two by a hash.
func reusePort(s *scene) {
	all := *s
	for i := all.from; i < all.to && s.err == nil; i++ {
		s.from, s.to = i, i+1
		for s.err == nil && !s.ignored() {
			s.peer.close()
		}
		all.clients = append(all.clients, s.clients...)
	}
	s.from, s.to, s.clients = all.from, all.to, all.clients
	s.peer.close()
	s.culprit.expectWaiting(truth{State: tcp.CloseWait, RecvQ: 1, Cause: causeNeverAccepted})
	s.peer.expect(drained)
}

// ignored opens one connection and reports whether it reached the culprit.
func (s *scene) ignored() bool {
	before := s.culprit.do(order{Op: "queued"}).N
	s.connect(s.peer)
	healthy := part{scene: s, actor: s.cast.bystander, leg: mainLeg}
	deadline := time.Now().Add(stepWithin)
	for s.err == nil {
		if s.culprit.do(order{Op: "queued"}).N > before {
			return true
		}
		if healthy.do(order{Op: "accept-any"}).N > 0 {
			return false
		}
		if time.Now().After(deadline) {
			s.fail("a connection reached neither listener: %w", errTimeout)
		}
		time.Sleep(pollEvery)
	}
	return false
}
