package scenario

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/closewait/closewait/tcp"
)

// Bounds of a run, against an engine that never comes to rest.
const (
	// settling is how long hosts may take to come to rest after a step: far more
	// than it ever takes, also where a second of a real engine is a story's minute.
	settling = 10 * time.Minute
	// maxTurns bounds how often one step advances.
	maxTurns = 200_000
	// maxFill bounds the writes of one Fill, and chunk is what each offers.
	maxFill = 4096
	chunk   = 1 << 16
)

// ErrRestless is why a story is given up whose hosts are never done.
var ErrRestless = errors.New("the hosts do not come to rest")

// Run plays a story on an engine that has just been started. After every step
// it lets the hosts come to rest. Expectations that do not come true are in the
// Result, and the story goes on; an error means that the story could not be
// played, wrapping ErrUnsupported if the engine can not do what it asks for. The
// Result then ends where the story did.
func Run(s *Story, e Engine) (*Result, error) {
	r := &runner{
		story: s, engine: e, names: e.Names(),
		result: &Result{Story: s, Names: e.Names(), End: [2]Observation{{State: tcp.Closed}, {State: tcp.Closed}}},
	}
	err := r.look()
	for _, step := range s.Steps {
		if err != nil {
			break
		}
		err = r.step(step)
	}
	r.result.Ended = e.Now()
	slices.SortStableFunc(r.result.Events, func(a, b Event) int { return int(max(-1, min(1, a.At-b.At))) })
	if err != nil {
		return r.result, fmt.Errorf("%s: %w", s.File, err)
	}
	return r.result, nil
}

// runner is one run of a story.
type runner struct {
	story  *Story
	engine Engine
	names  []string
	result *Result
	sorter sorter
	// wire is what was seen since the last ExpectWire.
	wire []WireItem
	// known: the host has had a connection, so its state is shown and not LISTEN.
	known [2]bool
}

func (r *runner) step(s Step) error {
	switch s := s.(type) {
	case *Act:
		got, err := r.act(r.lineOf(s.line), s.Host, s.Call)
		if err != nil {
			return err
		}
		r.checkReturn(s, got)
	case *Meet:
		return r.meet(s)
	case *Link:
		r.note(Ruled, r.lineOf(s.line), s.text(r.story.Hosts))
		return r.wrap(s.line, r.engine.Rule(s.Rule))
	case *Recover:
		r.note(Ruled, r.lineOf(s.line), s.text(r.story.Hosts))
		return r.wrap(s.line, r.engine.Recover())
	case *Wait:
		r.note(Waited, r.lineOf(s.line), s.text(r.story.Hosts))
		return r.wrap(s.line, r.wait(s))
	case *Expect:
		return r.wrap(s.line, r.checkHosts(s))
	case *ExpectWire:
		r.checkWire(s)
	}
	return nil
}

func (r *runner) note(kind EventKind, line int, text string) *Event {
	r.result.Events = append(r.result.Events, Event{At: r.engine.Now(), Kind: kind, Line: line, Text: text})
	return &r.result.Events[len(r.result.Events)-1]
}

// lineOf is a statement's number in its file, 0 for one that has no source.
func (r *runner) lineOf(at int) int {
	if at < len(r.story.lines) {
		return r.story.lines[at].first
	}
	return 0
}

func (r *runner) wrap(at int, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("line %d: %w", r.lineOf(at), err)
}

// act makes a call and lets the hosts come to rest.
func (r *runner) act(line, host int, c Call) (Return, error) {
	e := r.note(Called, line, "")
	e.Host, e.Call = host, c
	at := len(r.result.Events) - 1
	got, err := r.call(host, c)
	if err == nil {
		err = r.settle()
	}
	if err == nil && c.Op == Connect && got.Err == "EINPROGRESS" {
		got, err = r.connected(host)
	}
	if err != nil {
		return got, fmt.Errorf("line %d: %s %s: %w", line, r.story.Hosts[host], c, err)
	}
	got.Of = c.Op
	r.result.Events[at].Return = got
	return got, nil
}

func (r *runner) call(host int, c Call) (Return, error) {
	if c.Op != Fill {
		return r.engine.Call(host, c)
	}
	total := 0
	for range maxFill {
		got, err := r.engine.Call(host, Call{Op: Write, N: chunk})
		if err != nil {
			return got, err
		}
		if got.Err == "EAGAIN" && total > 0 {
			break
		}
		if got.Err != "" {
			return got, nil
		}
		total += got.N
		if err := r.settle(); err != nil {
			return got, err
		}
	}
	return Return{N: total}, nil
}

// connected says what came of a connect(), as poll() and SO_ERROR tell a
// program.
func (r *runner) connected(host int) (Return, error) {
	switch r.result.End[host].State {
	case tcp.SynSent, tcp.SynReceived:
		return Return{Err: "EINPROGRESS"}, nil
	case tcp.Closed:
		return r.engine.Call(host, Call{Op: TakeError})
	}
	return Return{}, nil
}

// meet opens a connection, and leaves the wire as if it had been open before.
func (r *runner) meet(m *Meet) error {
	line := r.lineOf(m.line)
	for _, part := range []struct {
		host int
		op   Op
	}{{1, Listen}, {0, Connect}, {1, Accept}} {
		got, err := r.act(line, part.host, Call{Op: part.op})
		if err != nil {
			return err
		}
		if got.Err != "" {
			r.fail(m.line, "both hosts connected", fmt.Sprintf("%s %s → %s", r.story.Hosts[part.host], Call{Op: part.op}, got), "")
			return nil
		}
	}
	r.wire = nil
	return nil
}

// settle lets the hosts come to rest.
func (r *runner) settle() error {
	until := r.engine.Now() + settling
	for turn := 0; ; turn++ {
		if err := r.look(); err != nil {
			return err
		}
		quiet, err := r.engine.Quiet()
		if quiet || err != nil {
			return err
		}
		left := until - r.engine.Now()
		if left <= 0 || turn > maxTurns {
			return fmt.Errorf("%w within %s", ErrRestless, Span(settling))
		}
		if err := r.engine.Advance(left); err != nil {
			return err
		}
	}
}

// wait lets time pass, until it is up or a host looks as wanted.
func (r *runner) wait(w *Wait) error {
	until := r.engine.Now() + w.Most
	for turn := 0; r.engine.Now() < until; turn++ {
		if w.Until != nil && r.looks(*w.Until) {
			break
		}
		if turn > maxTurns {
			return fmt.Errorf("%w: too much happens in %s", ErrRestless, Span(w.Most))
		}
		if err := r.engine.Advance(until - r.engine.Now()); err != nil {
			return err
		}
		if err := r.look(); err != nil {
			return err
		}
	}
	return r.settle()
}

// look takes in what has been sent, and how the hosts look now.
func (r *runner) look() error {
	packets, err := r.engine.Wire()
	if err != nil {
		return err
	}
	for _, p := range packets {
		r.result.Events = append(r.result.Events, Event{At: p.Sent, Kind: Sent, Host: p.From, Packet: p})
		if p.Segment.Has(tcp.SYN) {
			r.known[p.From&1] = true // also where it is over before anybody looks
		}
		for _, item := range r.sorter.items(p) {
			r.wire = join(r.wire, item)
		}
	}
	for host := range r.result.End {
		seen, err := r.engine.Observe(host)
		if err != nil {
			return err
		}
		r.observe(host, seen)
	}
	return nil
}

func (r *runner) observe(host int, seen Observation) {
	if seen.State == 0 {
		seen.State = tcp.Closed
	}
	switch {
	case seen.State != tcp.Closed && seen.State != tcp.Listen:
		r.known[host] = true
	case !r.known[host] && seen.Listening:
		seen.State = tcp.Listen
	}
	was := r.result.End[host]
	r.result.End[host] = seen
	if was.State == seen.State {
		return
	}
	e := r.note(Changed, 0, "")
	e.Host, e.From, e.To, e.Seen = host, was.State, seen.State, seen
}
