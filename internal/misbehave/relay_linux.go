package misbehave

import "github.com/closewait/closewait/tcp"

// relayed: a request has passed through the proxy, and the client has shut down
// its side, which the proxy has read.
func relayed(s *scene) {
	s.open()
	s.openUpstream()
	s.peer.send(requestBytes)
	s.culprit.recv(requestBytes)
	s.culprit.on(upstreamLeg).send(requestBytes)
	s.peer.on(upstreamLeg).recv(requestBytes)
}

var flowing = truth{State: tcp.Established, RecvQ: anything, SendQ: anything}

func relay(s *scene) {
	relayed(s)
	s.peer.shutdown()
	s.culprit.readAll()
	s.peer.on(upstreamLeg).send(drop)
	s.culprit.on(upstreamLeg).recv(drop)
	s.culprit.send(drop)
	s.peer.recv(drop)
	s.peer.on(upstreamLeg).drip()
	s.culprit.on(upstreamLeg).pump(mainLeg)
	s.peer.drain()
	s.culprit.expect(truth{State: tcp.CloseWait, SendQ: anything, Cause: causeHalfCloseInUse})
	s.culprit.on(upstreamLeg).expect(flowing)
	s.peer.expect(truth{State: tcp.FinWait2, RecvQ: anything, Cause: causeHalfCloseInUse})
	s.peer.on(upstreamLeg).expect(flowing)
}

func relayBuffering(s *scene) {
	relayed(s)
	s.peer.shutdown()
	s.culprit.readAll()
	s.peer.on(upstreamLeg).send(drop)
	s.culprit.on(upstreamLeg).recv(drop)
	s.peer.on(upstreamLeg).drip()
	s.culprit.on(upstreamLeg).drain()
	s.culprit.expect(truth{State: tcp.CloseWait, Cause: causeHalfCloseInUse})
	s.culprit.on(upstreamLeg).expect(flowing)
	s.peer.expect(truth{State: tcp.FinWait2, Cause: causePeerKeepsOpen})
	s.peer.on(upstreamLeg).expect(flowing)
}

// relayStuck: the exchange is over and the client has left; the proxy waits for
// the server to end its idle connection too.
func relayStuck(s *scene) {
	relayed(s)
	s.peer.on(upstreamLeg).send(responseBytes)
	s.culprit.on(upstreamLeg).recv(responseBytes)
	s.culprit.send(responseBytes)
	s.peer.recv(responseBytes)
	s.peer.close()
	s.culprit.readAll()
	s.culprit.expect(ignored)
	s.culprit.on(upstreamLeg).expect(truth{State: tcp.Established})
	s.peer.on(upstreamLeg).expect(truth{State: tcp.Established})
	s.peer.expect(drained)
}
