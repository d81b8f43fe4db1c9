package lab

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/sockdiag"
	"github.com/closewait/closewait/scenario"
	"github.com/closewait/closewait/tcp"
)

// Engine plays stories on the running kernel. It implements scenario.Engine.
type Engine struct {
	ctx     context.Context
	options Options
	warden  *warden
	network *network
	filter  *filter
	tap     *tap
	hosts   [2]*host
	ports   [2]uint16
	link    link
	clock   *clock
	timers  [2]timer
	// waits are the story's durations that count at each host now.
	waits [2]waits
	// later are segments that a rule delays.
	later []delayed
	// restless: Quiet has just said no.
	restless bool
	// heard is when the last packet passed, by the kernel.
	heard time.Time
	// stirred is when a packet was last seen, or something done.
	stirred time.Time
	started time.Time
	// looks are all changes of appearance; looked is when the hosts were looked at
	// last, and shown what was seen.
	looks  []Look
	looked [2]time.Duration
	shown  [2]*scenario.Observation
	notes  []string
	beats  beats
	record *recording
}

// waits are the story's durations at one host, which the pace translates.
type waits struct {
	finWait2, linger2, idle, every time.Duration
}

// delayed is a segment that arrives late.
type delayed struct {
	at   time.Duration
	to   int
	data []byte
}

// NewEngine sets the lab up: namespaces, link and applications. ctx bounds the
// engine's life: once it is done, all calls fail. Close it.
func NewEngine(ctx context.Context, o Options) (_ *Engine, err error) {
	e := &Engine{ctx: ctx, options: o, warden: newWarden()}
	defer func() {
		if err != nil {
			err = errors.Join(unavailable(err), e.Close())
		}
	}()
	if e.network, err = newNetwork(e.warden); err != nil {
		return nil, err
	}
	err = e.warden.do(e.network.middle, func() (err error) {
		if e.filter, err = newFilter(e.network.ports); err == nil {
			e.tap, err = newTap(e.network.ports)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := e.network.await(e.warden, e.tap); err != nil {
		return nil, err
	}
	for i, ns := range e.network.hosts {
		if e.options.Hosts[i] == "" {
			e.options.Hosts[i] = [2]string{"local", "remote"}[i]
		}
		if e.hosts[i], err = newHost(e.warden, ns, e.options.Hosts[i]); err != nil {
			return nil, err
		}
	}
	if o.Pcap != nil {
		if e.record, err = newRecording(o.Pcap, e.options.Hosts); err != nil {
			return nil, err
		}
	}
	return e, e.begin()
}

// firstPort is the port of host 0 in an engine's first story.
const firstPort = 5001

// begin puts everything where a story begins.
func (e *Engine) begin() error {
	if e.ports[0] == 0 || e.ports[1] > 60000 {
		e.ports = [2]uint16{firstPort, firstPort + 1}
	} else {
		e.ports = [2]uint16{e.ports[0] + 2, e.ports[1] + 2}
	}
	if e.options.Pace.zero() {
		e.options.Pace = PaceOf(nil)
	}
	e.link, e.later, e.looks, e.notes = link{}, nil, nil, nil
	e.looked, e.shown = [2]time.Duration{}, [2]*scenario.Observation{}
	e.timers, e.beats = [2]timer{}, beats{}
	for i, h := range e.hosts {
		e.waits[i] = waits{finWait2: finTimeout, idle: keepIdle, every: keepEvery}
		if err := h.tune(e.options.Pace.settings()...); err != nil {
			return err
		}
	}
	if err := e.drainTap(); err != nil {
		return err
	}
	e.link = link{}
	e.started = time.Now()
	e.stirred, e.heard = e.started, e.started
	e.clock = newClock(e.started)
	return nil
}

// note keeps sentences for Run.Notes, each once.
func (e *Engine) note(sentences ...string) {
	for _, s := range sentences {
		if !slices.Contains(e.notes, s) {
			e.notes = append(e.notes, s)
		}
	}
}

// Reset begins another story on the same hosts, in a millisecond or two: all
// connections are gone, and the next ones have other ports.
func (e *Engine) Reset(p Pace) error {
	if err := e.ctx.Err(); err != nil {
		return err
	}
	if err := e.filter.clear(); err != nil {
		return err
	}
	for _, h := range e.hosts {
		if _, err := h.tell(order{Op: beginAgain}); err != nil {
			return err
		}
	}
	if err := e.sweep(); err != nil {
		return err
	}
	e.options.Pace = p
	return e.begin()
}

// Close ends everything that the engine started.
func (e *Engine) Close() error {
	var errs []error
	for _, h := range e.hosts {
		if h != nil {
			errs = append(errs, h.close())
		}
	}
	if e.record != nil {
		errs = append(errs, e.record.end())
	}
	if e.filter != nil {
		e.filter.close()
	}
	if e.tap != nil {
		e.tap.close()
	}
	if e.network != nil {
		e.network.close()
	}
	e.warden.end()
	return errors.Join(errs...)
}

// Names returns "linux-kernel" and "linux".
func (*Engine) Names() []string { return []string{"linux-kernel", "linux"} }

// Now is the story's time.
func (e *Engine) Now() time.Duration { return e.clock.of(time.Now()) }

// place is where a host's port is.
func (e *Engine) place(host int) netip.AddrPort {
	return netip.AddrPortFrom(address(host), e.ports[host])
}

// flow is a host's connection to the other one.
func (e *Engine) flow(host int) sockdiag.ID {
	return sockdiag.ID{Local: e.place(host), Remote: e.place(1 - host)}
}

// row is a host's connection as sock_diag has it; ok is false for none.
func (e *Engine) row(host int) (row sockdiag.Row, ok bool, err error) {
	id := e.flow(host)
	if last := e.hosts[host].last; last.Held {
		id.Cookie = last.Cookie
	}
	row, err = e.hosts[host].diag.Get(e.ctx, id)
	switch {
	case errors.Is(err, sockdiag.ErrNotFound), errors.Is(err, unix.ESTALE):
		return row, false, nil // ESTALE: another connection has these addresses now
	case err != nil:
		return row, false, err
	}
	return row, true, nil
}

// ticking is the row whose timer counts: where the application holds a socket
// that is none of the kernel's connections, one that it left behind may go on.
func (e *Engine) ticking(host int) (row sockdiag.Row, ok bool, err error) {
	if row, ok, err = e.row(host); ok || err != nil || !e.hosts[host].last.Held {
		return row, ok, err
	}
	row, err = e.hosts[host].diag.Get(e.ctx, e.flow(host))
	if errors.Is(err, sockdiag.ErrNotFound) {
		return row, false, nil
	}
	return row, err == nil && row.State != tcp.Listen, err
}

// Observe looks at a host by sock_diag.
func (e *Engine) Observe(host int) (scenario.Observation, error) {
	last := e.hosts[host].last
	o := scenario.Observation{State: tcp.Closed, Listening: last.Listening, Held: last.Held, Timer: scenario.TimerNone}
	row, ok, err := e.row(host)
	if err != nil {
		return o, err
	}
	if ok {
		o.State, o.RecvQ, o.SendQ, o.Timer = row.State, row.RQueue, row.WQueue, timerOf(row)
		if o.State == tcp.NewSynReceived {
			o.State = tcp.SynReceived
		}
		if last.Connecting && o.State != tcp.SynSent && o.State != tcp.SynReceived {
			if _, err := e.hosts[host].tell(order{Op: finish}); err != nil {
				return o, err
			}
		}
	}
	e.remember(host, o)
	return o, nil
}

// remember keeps a look if it is news.
func (e *Engine) remember(host int, o scenario.Observation) {
	now, since := e.Now(), e.looked[host]
	e.looked[host] = now
	if last := e.shown[host]; last == nil || *last != o {
		e.shown[host] = &o
		e.looks = append(e.looks, Look{Since: since, At: now, Host: host, Observation: o})
	}
}

// timerOf is the story's word for the kernel's timer (inet_diag.c,
// inet_sk_diag_fill).
func timerOf(row sockdiag.Row) scenario.Timer {
	switch row.Timer {
	case timerRetransmission:
		return scenario.TimerRetransmission
	case timerKeepalive:
		if row.State == tcp.FinWait2 && row.Inode == 0 {
			return scenario.TimerWait // an orphan's that waits longer than 60 s
		}
		return scenario.TimerKeepalive
	case timerWait:
		return scenario.TimerWait
	case timerProbe:
		return scenario.TimerProbe
	}
	return scenario.TimerNone
}

// idiag_timer's values.
const (
	timerRetransmission = 1
	timerKeepalive      = 2
	timerWait           = 3
	timerProbe          = 4
)

// Rule adds something that the link does.
func (e *Engine) Rule(r scenario.Rule) error {
	if err := e.drainTap(); err != nil {
		return err
	}
	if err := e.filter.add(r); err != nil {
		return err
	}
	e.link.rules.Add(r)
	e.beats = beats{} // what repeated itself may do so no longer
	return nil
}

// Recover ends all rules.
func (e *Engine) Recover() error {
	if err := e.drainTap(); err != nil {
		return err
	}
	e.link.rules.Clear()
	e.beats = beats{}
	return e.filter.clear()
}

// Wire returns what was sent since it was last asked, as far as it is known
// whether it arrived.
func (e *Engine) Wire() ([]scenario.Packet, error) {
	if err := e.drainTap(); err != nil {
		return nil, err
	}
	var packets []scenario.Packet
	for _, p := range e.link.take() {
		packets = append(packets, p.Packet)
		if e.record == nil {
			continue
		}
		if err := e.record.write(p); err != nil {
			return nil, err
		}
	}
	e.beats.hear(packets)
	return packets, nil
}

// drainTap takes in what was captured.
func (e *Engine) drainTap() error {
	for {
		s, ok, err := e.tap.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if err := e.see(s); err != nil {
			return err
		}
	}
	e.link.judge(time.Now())
	return nil
}

// see takes in one captured frame.
func (e *Engine) see(s sight) error {
	f, ok := parseFrame(s.Data)
	if !ok {
		return nil
	}
	from := s.Port
	if s.Out {
		from = 1 - from
	}
	if f.From != e.place(from) || f.To != e.place(1-from) {
		return nil // of an earlier story
	}
	e.stirred = time.Now()
	at := s.At
	e.clock.fired(at)
	e.heard = at
	if s.Out {
		p := e.link.leave(s.Port, f, s.Data, at, e.story(at))
		if p != nil && p.fate.Fate == scenario.Duplicate {
			p.Copies++
			return e.tap.inject(s.Port, f.finished(p.data))
		}
		return nil
	}
	p := e.link.enter(from, f, s.Data, at, e.story(at))
	if p.fate.Fate == scenario.Delay {
		p.Arrived = p.Sent + p.fate.By
		e.later = append(e.later, delayed{at: p.Arrived, to: 1 - from, data: f.finished(p.data)})
	}
	return nil
}

// story is the story's time at a time of the world; never 0, which is "not
// known".
func (e *Engine) story(at time.Time) time.Duration { return max(e.clock.of(at), 1) }
