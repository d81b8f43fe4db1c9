package netstack

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/closewait/closewait/scenario"
)

// Options are how an Engine is set up.
type Options struct {
	// Latency is how long a packet is under way; 0 is one millisecond.
	Latency time.Duration
	// Seed varies the sequence numbers; 0 is as good as any.
	Seed uint64
	// Tap sees every packet when it is sent, lost or not: its bytes from the IPv4
	// header on, which it must not change. nil: nobody does.
	Tap func(at time.Duration, raw []byte)
}

// Engine plays stories on two of gVisor's stacks. It implements
// scenario.Engine, and gives the same answers every time. Close it after use.
type Engine struct {
	hosts [2]*host
	link  scenario.Transit[packet]
	now   time.Duration
	wire  []scenario.Packet
	tap   func(at time.Duration, raw []byte)
}

var _ scenario.Engine = (*Engine)(nil)

// NewEngine starts two stacks, at the beginning of time.
func NewEngine(o Options) (*Engine, error) {
	if o.Latency <= 0 {
		o.Latency = time.Millisecond
	}
	e := &Engine{link: scenario.Transit[packet]{Latency: o.Latency}, tap: o.Tap}
	var at [2]netip.AddrPort
	for i := range at {
		at[i] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)}), uint16(5001+i)) // RFC 5737
	}
	for i := range e.hosts {
		h, err := newHost(at[i], at[1-i], o.Seed)
		if err != nil {
			e.Close()
			return nil, err
		}
		e.hosts[i] = h
	}
	return e, nil
}

// Close ends both stacks and waits for their goroutines. The Engine can not be
// used any more.
func (e *Engine) Close() {
	for _, h := range e.hosts {
		if h != nil {
			h.close()
		}
	}
}

// Names returns "gvisor-netstack" and "gvisor".
func (e *Engine) Names() []string { return []string{"gvisor-netstack", "gvisor"} }

// Now is the time since the story began.
func (e *Engine) Now() time.Duration { return e.now }

// Rule adds something that the link does.
func (e *Engine) Rule(r scenario.Rule) error {
	e.link.Add(r)
	return nil
}

// Recover ends all rules. What is under way stays so.
func (e *Engine) Recover() error {
	e.link.Clear()
	return nil
}

// Wire returns what was sent since it was last asked.
func (e *Engine) Wire() ([]scenario.Packet, error) {
	sent := e.wire
	e.wire = nil
	return sent, nil
}

// Quiet reports whether only time or an application can change something.
func (e *Engine) Quiet() (bool, error) {
	at, _, ok := e.deadline()
	due := ok && at <= e.now
	return e.link.Idle() && !due, nil
}

// deadline is when the next timer is due, and at which host.
func (e *Engine) deadline() (next time.Duration, host int, ok bool) {
	for i, h := range e.hosts {
		if at, on := h.clock.next(); on && (!ok || at < next) {
			next, host, ok = at, i, true
		}
	}
	return next, host, ok
}

// Advance goes to the next packet's arrival or the next timer, or by most if
// there is neither until then. gVisor stops many timers by letting them fire for
// nothing (transport/tcp/timer.go): then nothing may have happened.
func (e *Engine) Advance(most time.Duration) error {
	until := e.now + most
	at, host, ok := e.deadline()
	if arrives, flying := e.link.Next(); flying && arrives <= until && (!ok || arrives <= at) {
		e.set(arrives)
		to, p := e.link.Arrive()
		h := e.hosts[to]
		h.ledger.arrived(p.segment)
		h.nic.deliver(p.raw)
		return e.rest(to)
	}
	if !ok || at > until {
		e.set(until)
		return nil
	}
	e.set(at)
	e.hosts[host].clock.fire()
	return e.rest(host)
}

// set moves the clocks forward.
func (e *Engine) set(now time.Duration) {
	e.now = max(e.now, now)
	for _, h := range e.hosts {
		h.clock.set(e.now)
	}
}

// rest lets a host finish what it has been given, and takes what it sends onto
// the link.
func (e *Engine) rest(host int) error {
	h := e.hosts[host]
	h.rest()
	for _, raw := range h.nic.take() {
		p, ok := h.sent.decode(raw, &e.hosts[1-host].sent)
		if !ok {
			return fmt.Errorf("netstack sent %d bytes that are no TCP segment", len(raw))
		}
		if e.tap != nil {
			e.tap(e.now, raw)
		}
		h.ledger.sent(p.segment)
		e.wire = append(e.wire, e.link.Send(e.now, host, p.segment, p))
	}
	return nil
}

// Observe looks at a host as ss does. A timer is known where there is none, or
// where only one is possible.
func (e *Engine) Observe(host int) (scenario.Observation, error) {
	return e.hosts[host].observe(), nil
}
