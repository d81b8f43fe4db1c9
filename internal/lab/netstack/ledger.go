package netstack

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	gtcp "gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/closewait/closewait/tcp"
)

// ledger counts what gVisor does not tell of a connection: how much of what was
// written has been acknowledged (it has no SIOCOUTQ for TCP), and whether a read
// has passed the FIN.
type ledger struct {
	iss, una tcp.Seq
	begun    bool
	written  uint32
	told     bool // of the end of the stream, or gone before there was one
}

// sent sees what the host sends: a new SYN begins a new connection.
func (l *ledger) sent(s tcp.Segment) {
	if s.Has(tcp.SYN) && (!l.begun || s.Seq != l.iss) {
		*l = ledger{iss: s.Seq, una: s.Seq.Add(1), begun: true}
	}
}

// arrived sees what reaches the host.
func (l *ledger) arrived(s tcp.Segment) {
	if l.begun && s.Has(tcp.ACK) && !s.Has(tcp.RST) && s.Ack.Within(l.una, l.written+2) {
		l.una = s.Ack // at most all that was written, and a FIN
	}
}

// closed sees the application close its descriptor.
func (l *ledger) closed(state tcp.State) { l.told = l.told || !state.FinReceived() }

// queues are Recv-Q and Send-Q as tools show them, an unread FIN and one that is
// not acknowledged counting as one.
func (l *ledger) queues(ep *gtcp.Endpoint, state tcp.State) (recv, send uint32) {
	if n, err := ep.GetSockOptInt(tcpip.ReceiveQueueSizeOption); err == nil {
		recv = uint32(max(n, 0))
	}
	if state.FinReceived() && state != tcp.TimeWait && !l.told {
		recv++
	}
	end := l.iss.Add(1 + l.written)
	switch state {
	case tcp.SynSent, tcp.SynReceived:
		return recv, 1
	case tcp.FinWait1, tcp.LastAck, tcp.Closing:
		return recv, uint32(max(end.Add(1).From(l.una), 0))
	case tcp.Established, tcp.CloseWait:
		return recv, uint32(max(end.From(l.una), 0))
	}
	return recv, 0
}
