package misbehave

import (
	"net/netip"

	"github.com/closewait/closewait/tcp"
)

// Nothing is to be said of these.

var dead = truth{State: tcp.Closed}

func freshSocket(s *scene) {
	s.culprit.do(order{Op: "open", Addr: netip.AddrPortFrom(s.cast.host(s.cast.spec.Mapped), 0)})
	s.culprit.expect(dead)
}

func connectRefused(s *scene) {
	s.culprit.do(order{Op: "connect", Addr: s.cast.outAddr, Bytes: toBeRefused})
	s.culprit.expect(dead)
}

func refusedUnasked(s *scene) {
	s.culprit.do(order{Op: "connect", Addr: s.cast.outAddr, Bytes: toBeRefusedUnasked})
	s.culprit.expect(dead)
}

func exchangeAndIdle(s *scene) {
	s.open()
	s.exchange()
	s.culprit.expect(truth{State: tcp.Established})
	s.peer.expect(truth{State: tcp.Established})
}

func churn(s *scene) {
	at := netip.AddrPortFrom(s.cast.host(s.cast.spec.Mapped), 0)
	s.culprit.do(order{Op: "churn", Addr: at, Title: s.cast.spec.Title})
}
