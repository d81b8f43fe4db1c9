package model

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/closewait/closewait/tcp"
)

// arbitrary makes an event of eight octets, near enough to what the connection
// expects that it gets somewhere.
func arbitrary(c *Conn, b [8]byte) Event {
	kind := Kind(b[0]) % (kinds + 12)
	e := Event{Kind: kind, ISS: tcp.Seq(b[1]) << 24, N: uint32(b[2]) << (b[3] % 16), How: How(b[2] % 5), On: b[3]&1 != 0}
	e.Idle, e.Interval, e.Probes = Time(b[4])*Second, Time(b[5])*Second, b[6]
	e.Listening = b[7]&1 != 0
	if kind >= kinds {
		e.Kind = KindArrive
	}
	if e.Kind == KindArrive {
		e.Segment = near(c, b)
	}
	return e
}

// near makes a segment with numbers about those that the connection expects.
func near(c *Conn, b [8]byte) tcp.Segment {
	edge := []tcp.Seq{c.rcvNxt, c.rcvNxt.Add(c.RcvWnd()), c.irs, tcp.Seq(binary.LittleEndian.Uint32(b[1:]))}
	acks := []tcp.Seq{c.nxt, c.una, c.iss, tcp.Seq(binary.LittleEndian.Uint32(b[2:]))}
	flags := tcp.Flags(b[1])
	if b[7]&2 != 0 {
		flags = tcp.ACK | flags&(tcp.FIN|tcp.PSH)
	}
	return tcp.Segment{
		Seq: edge[b[2]&3] + tcp.Seq(int8(b[3])), Ack: acks[b[4]&3] + tcp.Seq(int8(b[5])/16),
		Flags: flags, Len: uint32(b[6]) << (b[7] >> 5), Window: uint32(b[2]) << (b[5] % 14), MSS: uint16(b[6]) << (b[7] & 7),
	}
}

// follow checks one Step against what must hold whatever happens.
func follow(t *testing.T, p *Profile, before Conn, e Event, now Time) Conn {
	t.Helper()
	after, fx := Step(p, before, e, now)
	if again, fx2 := Step(p, before, e, now); again != after || fx != fx2 {
		t.Fatalf("%s: two answers to %+v", p.Name, e)
	}
	rst := 0
	for _, seg := range fx.Segments() {
		if seg.Has(tcp.RST) {
			rst++
		}
		if seg.Len > uint32(max(before.mss, after.mss, 536)) {
			t.Fatalf("%s: %v is more than one MSS", p.Name, seg)
		}
	}
	if e.Kind == KindArrive && e.Segment.Has(tcp.RST) && rst > 0 {
		t.Fatalf("%s: a RST answers the RST %v in %v: %v", p.Name, e.Segment, before.State(), fx.Segments())
	}
	if rst > 1 {
		t.Fatalf("%s: %d RSTs at once after %+v in %v", p.Name, rst, e, before.State())
	}
	checkEdge(t, p, before, after, e)
	if before.State() == after.State() && before.iss == after.iss && after.in(canSend|1<<tcp.FinWait2|1<<tcp.TimeWait) {
		never := func(what string, a, b tcp.Seq) {
			if b.Before(a) {
				t.Fatalf("%s: %s goes back from %d to %d after %+v in %v", p.Name, what, a, b, e, before.State())
			}
		}
		never("SND.UNA", before.una, after.una)
		never("SND.NXT", before.nxt, after.nxt)
		never("RCV.NXT", before.rcvNxt, after.rcvNxt)
		never("the right edge of the window", before.adv, after.adv)
		never("what is read", before.copied, after.copied)
	}
	checkSane(t, p, after, e)
	return after
}

// edges are the ways from state to state that RFC 9293 figure 5 has, and those
// that a segment or a call takes through two states at once. CLOSED, by a RST,
// a time-out or an abort, can be reached from everywhere.
var edges = map[tcp.State][]tcp.State{
	tcp.Closed:      {tcp.Listen, tcp.SynSent},
	tcp.Listen:      {tcp.SynReceived},
	tcp.SynSent:     {tcp.SynReceived, tcp.Established, tcp.CloseWait},
	tcp.SynReceived: {tcp.Listen, tcp.Established, tcp.CloseWait, tcp.FinWait1, tcp.Closing, tcp.FinWait2, tcp.TimeWait},
	tcp.Established: {tcp.CloseWait, tcp.FinWait1},
	tcp.FinWait1:    {tcp.FinWait2, tcp.Closing, tcp.TimeWait},
	tcp.FinWait2:    {tcp.TimeWait},
	tcp.CloseWait:   {tcp.LastAck},
	tcp.Closing:     {tcp.TimeWait},
}

func checkEdge(t *testing.T, p *Profile, before, after Conn, e Event) {
	t.Helper()
	from, to := before.State(), after.State()
	if from != to && to != tcp.Closed && !slices.Contains(edges[from], to) {
		t.Fatalf("%s: from %v to %v by %+v", p.Name, from, to, e)
	}
	if from != tcp.CloseWait || to != tcp.Closed {
		return
	}
	// C8 to C14: what ends a CLOSE_WAIT, besides close.
	switch e.Kind {
	case KindClose, KindExit, KindAbort, KindDestroy:
	case KindTick: // R2, keepalive or the user timeout
		if after.EndError() != ETIMEDOUT {
			t.Fatalf("%s: CLOSE_WAIT ends by time with %v", p.Name, after.EndError())
		}
	case KindArrive:
		insecure := p.InsecureSYN && e.Segment.Has(tcp.SYN)
		if !e.Segment.Has(tcp.RST) && !insecure {
			t.Fatalf("%s: CLOSE_WAIT ends by %v", p.Name, e.Segment)
		}
	default:
		t.Fatalf("%s: CLOSE_WAIT ends by %+v", p.Name, e)
	}
}

// checkSane checks what must hold of every connection.
func checkSane(t *testing.T, p *Profile, c Conn, e Event) {
	t.Helper()
	fail := func(what string) {
		t.Helper()
		t.Fatalf("%s: %s, in %v after %+v\n%+v", p.Name, what, c.State(), e, c)
	}
	if c.in(canSend) {
		if c.una.After(c.nxt) {
			fail("SND.UNA is beyond SND.NXT")
		}
		if c.nxt.After(c.end.Add(1)) {
			fail("SND.NXT is beyond what was written")
		}
		if _, on := c.NextDeadline(); !on && c.una != c.nxt {
			fail("something is outstanding and no timer runs")
		}
		if c.SendQ() > 0 && c.Synchronized() {
			if _, on := c.NextDeadline(); !on {
				fail("something is to be sent and no timer runs")
			}
		}
	}
	if c.copied.After(c.rcvNxt) {
		fail("more was read than came")
	}
	if at, on := c.NextDeadline(); c.State() == tcp.Closed && on {
		fail("CLOSED, and a timer runs until " + at.String())
	}
	if c.State() == tcp.CloseWait && c.has(detached) {
		fail("CLOSE-WAIT without an application")
	}
	if c.has(ackNow) {
		fail("an ACK is owed after the Step")
	}
}

func TestNothingUpsetsAConnection(t *testing.T) {
	profiles := append(Profiles(), Profile{Name: "zero"})
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := &profiles[seed%uint64(len(profiles))]
		walk(t, p, r, 200)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// somewhere returns a connection on some way from open to close, its numbers
// close to where they wrap.
func somewhere(p *Profile, r *rand.Rand, now Time) Conn {
	iss, irs := -tcp.Seq(r.IntN(4)), -tcp.Seq(r.IntN(4))
	syn := tcp.Segment{Seq: irs, Flags: tcp.SYN, Window: uint32(r.IntN(3)) * 2000, MSS: 1000}
	var events []Event
	if r.IntN(2) == 0 {
		events = []Event{OpenPassive(), ArriveAt(syn, iss), Arrive(tcp.Segment{Seq: irs + 1, Ack: iss + 1, Flags: tcp.ACK, Window: 2000})}
	} else {
		syn.Flags |= tcp.ACK
		syn.Ack = iss + 1
		events = []Event{OpenActive(iss), Arrive(syn)}
	}
	fin := tcp.Segment{Seq: irs + 1, Ack: iss + 1, Flags: tcp.FIN | tcp.ACK, Window: 2000}
	tails := [][]Event{
		{}, {Write(100)}, {Shutdown(ShutWrite)}, {Close()}, {Arrive(fin)}, {Arrive(fin), Write(5000)}, {Arrive(fin), Close()},
		{Close(), Arrive(fin)}, {KeepAlive(true, Second, Second, 3)}, {Write(9000), Close()}, {UserTimeout(Minute), Write(9000)},
	}
	c := NewConn(p)
	for _, e := range append(events[:1+r.IntN(len(events))], tails[r.IntN(len(tails))]...) {
		c, _ = Step(p, c, e, now)
	}
	return c
}

func walk(t *testing.T, p *Profile, r *rand.Rand, steps int) {
	t.Helper()
	now := Epoch
	c := somewhere(p, r, now)
	for range steps {
		if at, on := c.NextDeadline(); on && r.IntN(3) == 0 {
			now = max(now, at)
			c = follow(t, p, c, Tick(), now)
			continue
		}
		now += Time(r.Int64N(int64(Second)))
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], r.Uint64())
		c = follow(t, p, c, arbitrary(&c, b), now)
		if c.State() == tcp.Closed {
			c = somewhere(p, r, now)
		}
	}
}

func FuzzStep(f *testing.F) {
	f.Add(uint8(0), []byte("\x02open\x00\x00\x00\x01arrive\x00\x04write\x00\x00"))
	f.Add(uint8(1), []byte("\x03listen\x00\x01syn\x00\x00\x00\x00\x01ack\x00\x00\x00\x00\x08close\x00\x00"))
	profiles := append(Profiles(), Profile{Name: "zero"})
	f.Fuzz(func(t *testing.T, which uint8, script []byte) {
		p := &profiles[int(which)%len(profiles)]
		c, now := NewConn(p), Epoch
		for len(script) >= 8 {
			c = follow(t, p, c, arbitrary(&c, [8]byte(script[:8])), now)
			now += Time(script[7]) * 100 * Millisecond
			script = script[8:]
			if at, on := c.NextDeadline(); on && at <= now {
				c = follow(t, p, c, Tick(), now)
			}
		}
	})
}
