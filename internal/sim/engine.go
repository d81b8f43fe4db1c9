package sim

import (
	"net/netip"
	"time"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/scenario"
	"github.com/closewait/closewait/tcp"
)

// Options are how an Engine is set up; the zero Options are two Linux hosts.
type Options struct {
	// Profiles are the two hosts' stacks. A profile without a name is Linux.
	Profiles [2]model.Profile
	// Latency is how long a segment is under way; 0 is one millisecond.
	Latency time.Duration
	// ISS are the initial sequence numbers; 0 is one of the engine's choice.
	ISS [2]tcp.Seq
}

// Engine plays stories on two model hosts and a link, in virtual time. It
// implements scenario.Engine, and gives the same answers every time.
type Engine struct {
	hosts [2]place
	link  scenario.Transit[Packet]
	now   model.Time
	wire  []scenario.Packet
}

// place is a host and what its application holds.
type place struct {
	*Host
	here           netip.AddrPort
	conn, listener FD
}

// NewEngine returns an engine at the beginning of time.
func NewEngine(o Options) *Engine {
	if o.Latency == 0 {
		o.Latency = time.Millisecond
	}
	e := &Engine{now: model.Epoch, link: scenario.Transit[Packet]{Latency: o.Latency}}
	for i, name := range [2]string{"first", "second"} {
		p := o.Profiles[i]
		if p.Name == "" {
			p = model.Linux()
		}
		addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)}) // RFC 5737
		e.hosts[i] = place{
			Host: NewHost(name, addr, p), here: netip.AddrPortFrom(addr, uint16(5001+i)),
			conn: NoFD, listener: NoFD,
		}
		iss := o.ISS[i]
		if iss == 0 {
			// Far apart, so that the two directions are not mistaken for each other.
			iss = 1_000_000_000 * (1 + tcp.Seq(i))
		}
		e.hosts[i].StartISS(iss)
	}
	return e
}

// Names returns "model-linux" and "linux", by the first host's profile.
func (e *Engine) Names() []string {
	name := e.hosts[0].Profile.Name
	return []string{"model-" + name, name}
}

// Now is the time since the story began.
func (e *Engine) Now() time.Duration { return since(e.now) }

// since is a point of virtual time as a story counts it.
func since(t model.Time) time.Duration { return (t - model.Epoch).Duration() }

// Rule adds something that the link does.
func (e *Engine) Rule(r scenario.Rule) error {
	e.link.Add(r)
	return nil
}

// Recover ends all rules.
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
	at, ok := e.deadline()
	due := ok && at <= e.now
	return e.link.Idle() && !due, nil
}

// deadline is when the next timer of a host is due.
func (e *Engine) deadline() (next model.Time, ok bool) {
	for _, h := range e.hosts {
		if at, on := h.NextDeadline(); on && (!ok || at < next) {
			next, ok = at, true
		}
	}
	return next, ok
}

// Advance goes to the next event, or by most if there is none until then.
func (e *Engine) Advance(most time.Duration) error {
	until := e.now + model.Time(most)
	at, ok := e.deadline()
	if after, flying := e.link.Next(); flying && (!ok || model.Epoch+model.Time(after) <= at) {
		arrives := model.Epoch + model.Time(after)
		if arrives > until {
			e.now = until
			return nil
		}
		e.now = max(e.now, arrives)
		to, p := e.link.Arrive()
		e.send(to, e.hosts[to].Deliver(e.now, p))
		return nil
	}
	if !ok || at > until {
		e.now = until
		return nil
	}
	e.now = max(e.now, at)
	for i, h := range e.hosts {
		if at, on := h.NextDeadline(); on && at <= e.now {
			e.send(i, h.Tick(e.now))
		}
	}
	return nil
}

func (e *Engine) send(from int, packets []Packet) {
	for _, p := range packets {
		e.wire = append(e.wire, e.link.Send(since(e.now), from, p.Segment, p))
	}
}

// Observe looks at a host as ss does.
func (e *Engine) Observe(host int) (scenario.Observation, error) {
	h := &e.hosts[host]
	o := scenario.Observation{Listening: h.listener != NoFD, Held: h.conn != NoFD, Timer: scenario.TimerNone}
	c, ok := h.connection(e.hosts[1-host].here)
	o.State = c.State()
	if ok {
		o.RecvQ, o.SendQ, o.Timer = c.RecvQ(), c.SendQ(), timerOf(c)
	}
	return o, nil
}
