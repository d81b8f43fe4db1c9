package netstack

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	gtcp "gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"github.com/closewait/closewait/scenario"
	"github.com/closewait/closewait/tcp"
)

// nicID is the stack's one interface.
const nicID = 1

// hops is how often one segment may be queued for a processor: for the endpoint
// that it is addressed to; from there, if that has ended, for the listener
// (transport/tcp/connect.go tryDeliverSegmentFromClosedEndpoint and
// handleTimeWaitSegments); from there for the connection that it opens (accept.go
// handleListenSegment); and from there, if that has ended meanwhile, once more.
const hops = 4

// host is one machine: a stack, and what its application holds.
type host struct {
	stack  *stack.Stack
	nic    *nic
	clock  *clock
	here   netip.AddrPort
	peer   netip.AddrPort
	sent   decoder
	ledger ledger

	// conn and listener are descriptors, nil without; held are all that are open,
	// in the order of their opening.
	conn, listener tcpip.Endpoint
	held           []tcpip.Endpoint
}

// random is a stack's source of random numbers: the same for the same seed.
type random struct {
	mu sync.Mutex
	*rand.ChaCha8
}

func newRandom(seed uint64, port uint16) *random {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	binary.LittleEndian.PutUint16(key[8:], port)
	return &random{ChaCha8: rand.NewChaCha8(key)}
}

// Read is called by any of the stack's goroutines.
func (r *random) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ChaCha8.Read(p)
}

// newHost starts a stack with one address, and a route to the peer.
func newHost(here, peer netip.AddrPort, seed uint64) (*host, error) {
	h := &host{nic: newNIC(), clock: newClock(), here: here, peer: peer}
	h.stack = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{gtcp.NewProtocol}, // as runsc/boot/loader.go
		Clock:              h.clock,
		SecureRNG:          newRandom(seed, here.Port()),
	})
	err := h.stack.CreateNIC(nicID, h.nic)
	if err == nil {
		addr := tcpip.ProtocolAddress{
			Protocol: header.IPv4ProtocolNumber, AddressWithPrefix: address(here).WithPrefix(),
		}
		err = h.stack.AddProtocolAddress(nicID, addr, stack.AddressProperties{})
	}
	if err != nil {
		h.stack.Destroy()
		return nil, fmt.Errorf("netstack can not be set up: %s", err)
	}
	h.stack.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nicID}})
	return h, nil
}

func address(at netip.AddrPort) tcpip.Address { return tcpip.AddrFrom4(at.Addr().As4()) }

// full is an address as gVisor's calls take one.
func full(at netip.AddrPort) tcpip.FullAddress {
	return tcpip.FullAddress{Addr: address(at), Port: at.Port()}
}

// rest lets the stack finish what it has been given, as the package's
// documentation says.
func (h *host) rest() {
	for range hops {
		h.stack.Pause()
		h.stack.Resume()
	}
}

// wired is the connection that the stack has with the peer, held or not. Its
// address is in the demuxer until it ends, so that an orphan can be seen, and one
// that waits in the accept queue.
func (h *host) wired() *gtcp.Endpoint {
	found := h.stack.FindTransportEndpoint(header.IPv4ProtocolNumber, gtcp.ProtocolNumber, stack.TransportEndpointID{
		LocalPort: h.here.Port(), LocalAddress: address(h.here),
		RemotePort: h.peer.Port(), RemoteAddress: address(h.peer),
	}, nicID)
	ep, ok := found.(*gtcp.Endpoint)
	if !ok || ep.EndpointState() == gtcp.StateListen {
		return nil
	}
	return ep
}

// observe looks at the host as ss does.
func (h *host) observe() scenario.Observation {
	o := scenario.Observation{
		State: tcp.Closed, Listening: h.listener != nil, Held: h.conn != nil, Timer: scenario.TimerUnknown,
	}
	_, pending := h.clock.next()
	ep, ok := h.conn.(*gtcp.Endpoint)
	if !ok {
		ep = h.wired()
	}
	if ep != nil {
		o.State = stateOf(ep.EndpointState())
		o.RecvQ, o.SendQ = h.ledger.queues(ep, o.State)
	}
	switch {
	case !pending:
		o.Timer = scenario.TimerNone
	case o.State == tcp.TimeWait, o.State == tcp.FinWait2 && !o.Held:
		o.Timer = scenario.TimerWait
	}
	return o
}

// stateOf converts a state. gVisor numbers them as Linux does, and has some of
// its own for what is not a connection, or not one any more.
func stateOf(s gtcp.EndpointState) tcp.State {
	switch s {
	case gtcp.StateConnecting:
		return tcp.SynSent
	case gtcp.StateInitial, gtcp.StateBound, gtcp.StateError:
		return tcp.Closed
	}
	return tcp.State(s)
}

// close ends the stack and its goroutines.
func (h *host) close() {
	for _, ep := range h.held {
		ep.Abort()
	}
	h.stack.Destroy()
	h.nic.Close()
}
