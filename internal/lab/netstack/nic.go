package netstack

import (
	"sync"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// mtu is Ethernet's.
const mtu = 1500

// nic is where a stack meets the link. What the stack sends waits here until the
// engine takes it. A channel.Endpoint would do, but it drops what does not fit.
type nic struct {
	*channel.Endpoint

	mu  sync.Mutex
	out [][]byte
}

func newNIC() *nic { return &nic{Endpoint: channel.New(0, mtu, "")} }

// WritePackets is called by the stack, from any of its goroutines.
func (n *nic) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range pkts.AsSlice() {
		view := p.ToView()
		n.out = append(n.out, append([]byte(nil), view.AsSlice()...))
		view.Release()
	}
	return pkts.Len(), nil
}

// take returns what has been sent since it was last called.
func (n *nic) take() [][]byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	sent := n.out
	n.out = nil
	return sent
}

// deliver hands the stack a packet that arrives.
func (n *nic) deliver(raw []byte) {
	p := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(raw)})
	n.InjectInbound(header.IPv4ProtocolNumber, p)
	p.DecRef()
}
