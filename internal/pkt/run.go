package pkt

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/closewait/closewait/internal/sim"
	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// Config says how to run scripts.
type Config struct {
	// Profile is the stack that is judged.
	Profile model.Profile
	// Defined are the names that #ifdef finds defined.
	Defined []string
	// ReadFile reads the script of defaults that a script names. nil: none is
	// read, and the profile's own values stand.
	ReadFile func(name string) ([]byte, error)
	// Trace asks for Result.Trace.
	Trace bool
}

// Judge parses and runs one script. A script that cannot be parsed is
// unsupported.
func Judge(name string, text []byte, c Config) Result {
	s, err := Parse(name, text, c.Defined...)
	if err != nil {
		r := Result{Script: name, Verdict: Unsupported, What: err.Error()}
		if syntax, ok := err.(*SyntaxError); ok { //nolint:errorlint // Parse returns it bare
			r.Line, r.What = syntax.Line, syntax.Text
		}
		return r
	}
	return Run(s, c)
}

// Run runs a script.
func Run(s *Script, c Config) Result {
	r := newRunner(s, c)
	for _, o := range s.Options {
		r.line = o.Line
		r.option(o)
	}
	r.prepare()
	for i := range s.Events {
		if r.done {
			break
		}
		r.line = s.Events[i].Line
		r.event(&s.Events[i])
	}
	r.finish()
	return *r.result
}

// defaultTolerance is packetdrill's.
const defaultTolerance = 4 * model.Millisecond

// scriptStart is when a script begins, on the model's clock.
const scriptStart = model.Second

// runner is one run under way.
type runner struct {
	script   *Script
	result   *Result
	readFile func(string) ([]byte, error)
	trace    bool
	host     *sim.Host
	now      model.Time
	line     int
	ticks    int
	done     bool

	tolerance model.Time
	version   string // "4" or "6"
	mtu, mss  int

	// The connection under test, and how its numbers relate to the script's.
	under   sim.FD
	flow    tcp.Flow
	hasFlow bool
	listens uint16 // the port that was bound last
	// listeners counts them: each gets a peer of its own.
	listeners uint16
	learned   bool
	iss       tcp.Seq // of the connection whose offset is known
	offset    tcp.Seq // what to add to a number of the script that is ours
	peer      peer

	fds     map[int64]sim.FD
	keeps   map[sim.FD]bool // SO_KEEPALIVE, where a script has set it
	epolls  map[int64][]watch
	blocked *blockedCall
	sent    []outgoing // sent by the model and not yet wanted by the script

	offersTimestamps bool
	noTailProbe      bool // a sysctl turns it off
	closes           bool // a close() or shutdown() is under way
}

// peer is what the script's side offered in its SYN.
type peer struct {
	hasScale bool
	scale    uint8
	// ours: our side offers a window scale too.
	ours bool
}

// outgoing is a segment that the model sent.
type outgoing struct {
	at  model.Time
	seg tcp.Segment
	// closes: it is what a close() or shutdown() sends.
	closes bool
}

func newRunner(s *Script, c Config) *runner {
	return &runner{
		script: s, result: &Result{Script: s.Name}, readFile: c.ReadFile, trace: c.Trace,
		host: sim.NewHost("host", netip.Addr{}, c.Profile), now: scriptStart,
		tolerance: defaultTolerance, version: "4", mtu: 1500,
		under: sim.NoFD, listens: bindPort, peer: peer{ours: true}, fds: map[int64]sim.FD{}, keeps: map[sim.FD]bool{}, epolls: map[int64][]watch{}, offersTimestamps: true,
	}
}

// option obeys a line "--name=value".
func (r *runner) option(o Option) {
	number := func() int {
		n, err := strconv.Atoi(o.Value)
		if err != nil || n < 0 || n > 1e9 {
			r.unsupported("--%s=%s", o.Name, clip(o.Value, 40))
			return 0
		}
		return n
	}
	switch o.Name {
	case "tolerance_usecs":
		r.tolerance = model.Time(number()) * model.Millisecond / 1000
	case "tolerance_percent":
		r.result.ignore("--tolerance_percent")
	case "ip_version":
		switch o.Value {
		case "ipv4":
		case "ipv6", "ipv4-mapped-ipv6", "ipv4_mapped_ipv6":
			if o.Value == "ipv6" {
				r.version = "6"
			}
		default:
			r.unsupported("--ip_version=%s", clip(o.Value, 40))
		}
	case "mtu":
		r.mtu = number()
	case "mss":
		r.mss = number()
	case "tcp_ts_tick_usecs", "tcp_ts_ecr_scaled", "code_command", "code_format", "code_sockopt", "debug", "dry_run",
		"speed", "connect_port", "bind_port", "local_ip", "remote_ip", "gateway_ip", "netmask_ip", "verbose", "send_omit_free",
		"local_linkaddr", "remote_linkaddr", "non_fatal", "init_scripts", "initial_window":
		r.result.ignore("--" + o.Name)
	default:
		r.unsupported("the option --%s", clip(o.Name, 40))
	}
}

// headers is how much of the MTU is IP's and TCP's own.
func (r *runner) headers() int {
	if r.version == "6" {
		return 60
	}
	return 40
}

// The addresses are those for documentation (RFC 5737, RFC 3849); packetdrill's
// ports.
const (
	bindPort    = 8080
	connectPort = 8080
	peerPort    = 40000
)

// prepare makes the host that the options ask for.
func (r *runner) prepare() {
	if r.done {
		return
	}
	p := r.host.Profile
	mss := r.mtu - r.headers()
	if r.mss > 0 && r.mss < mss {
		mss = r.mss
	}
	if mss < 1 || mss > 1<<16-1 {
		r.unsupported("a segment size of %d", mss)
		return
	}
	if p.MSS > 0 {
		p.MSS = uint16(mss)
	}
	if p.Name == "linux" {
		p.DelayedFINAck = 40 * model.Millisecond
	}
	r.host = sim.NewHost("host", r.address(1), p)
}

// address is one of the two hosts' addresses.
func (r *runner) address(n byte) netip.Addr {
	if r.version == "6" {
		return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: n})
	}
	return netip.AddrFrom4([4]byte{192, 0, 2, n})
}

func (r *runner) remote(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(r.address(2), port)
}

// linux reports whether the profile's application side is Linux's: names and
// numbers are.
func (r *runner) linux() bool {
	switch r.host.Profile.Name {
	case "freebsd", "xnu":
		return false
	}
	return true
}

// event lets the time of an event come, and the event happen.
func (r *runner) event(e *Event) {
	if e.Packet != nil && !e.Packet.Inbound {
		r.expect(e)
		return
	}
	r.advance(max(r.time(e.When, e.When.At), r.now))
	if r.done {
		return
	}
	switch {
	case e.Packet != nil:
		r.deliver(e.Packet)
	case e.Call != nil:
		r.call(e)
	case e.Assert != nil:
		r.assert(e.Assert)
	case e.Command != nil:
		r.command(e.Command.Text)
	}
}

// time is a point of a script's time on the model's clock. Relative times count
// from when the event before happened, not from when it should have.
func (r *runner) time(w When, at model.Time) model.Time {
	switch w.Base {
	case Absolute:
		return scriptStart + at
	case Relative:
		return r.now + at
	}
	return r.now
}

// maxTicks bounds how many timers may fire in a script.
const maxTicks = 1 << 16

// tick fires the timers that are due by a time, one moment's at once. It reports
// whether there were any.
func (r *runner) tick(by model.Time) bool {
	at, on := r.host.NextDeadline()
	if !on || at > by || r.done {
		return false
	}
	if r.ticks++; r.ticks > maxTicks {
		r.unsupported("a script in which more than %d timers fire", maxTicks)
		return false
	}
	r.now = max(r.now, at)
	for _, p := range r.host.Tick(r.now) {
		r.send(p)
	}
	return true
}

// advance lets time pass, and timers fire.
func (r *runner) advance(to model.Time) {
	for r.tick(to) {
		r.resume()
	}
	r.now = max(r.now, to)
	r.resume()
}

// sends takes what the model sends, and what it could not send at once.
func (r *runner) sends(packets []sim.Packet) {
	for _, p := range packets {
		r.send(p)
	}
	for r.tick(r.now) {
	}
}

// send takes one segment. Those of connections before are nobody's concern:
// packetdrill does not look at them either.
func (r *runner) send(p sim.Packet) {
	if !r.hasFlow || p.From != r.flow.Local || p.To != r.flow.Remote {
		r.note("> (another connection) %v", p)
		return
	}
	r.sent = append(r.sent, outgoing{r.now, p.Segment, r.closes})
	r.note("> %s", r.show(p.Segment))
}

// deliver gives the model a segment.
func (r *runner) deliver(p *Packet) {
	if !r.hasFlow {
		r.flow = tcp.Flow{Local: netip.AddrPortFrom(r.host.Addr(), r.listens), Remote: r.remote(peerPort + r.listeners)}
		r.hasFlow = true
	}
	seg := tcp.Segment{Seq: p.Seq, Len: p.Len, Flags: p.Flags &^ (tcp.ECE | tcp.CWR), Window: p.Window, MSS: p.Options.MSS}
	if p.Flags.Any(tcp.ECE | tcp.CWR) {
		r.result.ignore("ECN")
	}
	if p.AnySeq {
		r.unsupported(`a segment that arrives with the sequence number "..."`)
		return
	}
	if p.Acks || p.Flags.Has(tcp.ACK) {
		seg.Ack = p.Ack + r.offset
	}
	r.scale(p, &seg)
	r.note("< %s", describe(p))
	r.sends(r.host.Deliver(r.now, sim.Packet{From: r.flow.Remote, To: r.flow.Local, Segment: seg}))
	r.resume()
}

// scale learns from a SYN how windows are scaled, and scales the others.
func (r *runner) scale(p *Packet, seg *tcp.Segment) {
	if !p.Flags.Has(tcp.SYN) {
		if r.peer.hasScale && r.peer.ours {
			seg.Window <<= r.peer.scale
		}
		return
	}
	if !p.Flags.Has(tcp.RST) {
		r.peer.hasScale, r.peer.scale = p.Options.HasScale, p.Options.Scale
		r.host.Profile.TailProbe = r.host.Profile.Name == "linux" && p.Options.SACK && !r.noTailProbe
	}
	if seg.MSS > 12 && p.Options.Timestamps && r.offersTimestamps {
		seg.MSS -= 12 // RFC 7323 §3.2: the option takes its room from the data
	}
}

// finish ends the run: nothing that was sent may be left over, and no call may
// still block.
func (r *runner) finish() {
	if r.done {
		return
	}
	if b := r.blocked; b != nil {
		r.line = b.line
		r.fail(b.call.Name+" to return", "that it still waits at the end")
		return
	}
	for _, o := range r.sent {
		if !r.unclaimed(o) {
			r.fail("nothing more to be sent", r.show(o.seg)+r.since(o.at))
			return
		}
		r.result.ignore("segments at the end that the script does not wait for")
	}
}

// unclaimed reports whether a script may end without a word about a segment: an
// empty ACK, or what its last close() sends. Scripts that end once all is seen
// do so, and packetdrill never looks.
func (r *runner) unclaimed(o outgoing) bool {
	empty := o.seg.Flags == tcp.ACK && o.seg.Len == 0
	return o.at >= r.now-r.tolerance && (empty || o.closes)
}

// fail ends the run: the model did something else.
func (r *runner) fail(wanted, got string) {
	if !r.done {
		r.result.Verdict, r.result.Line, r.result.Wanted, r.result.Got = Fail, r.line, wanted, got
		r.done = true
	}
}

// unsupported ends the run: the script wants what is not known here.
func (r *runner) unsupported(format string, args ...any) {
	if !r.done {
		r.result.Verdict, r.result.Line, r.result.What = Unsupported, r.line, fmt.Sprintf(format, args...)
		r.done = true
	}
}

// note adds a line to the trace.
func (r *runner) note(format string, args ...any) {
	if r.trace {
		at := fmt.Sprintf("%10.6f ", float64(r.now-scriptStart)/float64(model.Second))
		r.result.Trace = append(r.result.Trace, at+fmt.Sprintf(format, args...)+r.state())
	}
}

// state is the connection's state, for the trace.
func (r *runner) state() string {
	if !r.hasFlow {
		return ""
	}
	return "  " + r.tested().State().String()
}

// tested is the connection under test: by its descriptor, or by its addresses
// when no descriptor leads there.
func (r *runner) tested() model.Conn {
	if c, ok := r.host.Find(r.flow); ok && r.hasFlow {
		return c
	}
	if c, ok := r.host.Conn(r.under); ok {
		return c
	}
	return model.Conn{}
}
