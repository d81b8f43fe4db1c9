package model

import (
	"fmt"
	"strings"
	"testing"

	"github.com/closewait/closewait/tcp"
)

// rig drives one connection by hand. Its numbers are those of RFC 9293's
// figures: the connection counts from 100, its peer from 300.
type rig struct {
	t   *testing.T
	p   Profile
	c   Conn
	fx  Effects
	now Time
}

const (
	iss = tcp.Seq(100)
	irs = tcp.Seq(300)
	wnd = 4000 // the window of the peer
)

func newRig(t *testing.T, p Profile) *rig {
	t.Helper()
	p.ReceiveBuffer = 1000
	// BSD's own ways with windows and FINs have tests of their own (bsd_test.go).
	p.WholeSegments, p.SpaceIsWindow, p.AckRepeatsFIN = false, false, false
	return &rig{t: t, p: p, c: NewConn(&p), now: Second}
}

// do steps the connection, checking what must always hold.
func (r *rig) do(e Event) *rig {
	r.t.Helper()
	before := r.c
	r.c = follow(r.t, &r.p, r.c, e, r.now)
	_, r.fx = Step(&r.p, before, e, r.now)
	return r
}

// after lets time pass without a Tick.
func (r *rig) after(d Time) *rig { r.now += d; return r }

// tick goes to the next deadline, and says how long that took.
func (r *rig) tick() Time {
	r.t.Helper()
	at, on := r.c.NextDeadline()
	if !on {
		r.t.Fatalf("no timer runs in %v", r.c.State())
	}
	took := at - r.now
	r.now = max(r.now, at)
	r.do(Tick())
	return took
}

// arrive delivers a segment whose numbers are offsets: seq to RCV.NXT, ack to
// SND.NXT.
func (r *rig) arrive(flags tcp.Flags, seq, ack int, n uint32) *rig {
	r.t.Helper()
	s := tcp.Segment{Seq: r.c.rcvNxt + tcp.Seq(seq), Flags: flags, Len: n, Window: wnd}
	if flags.Has(tcp.ACK) {
		s.Ack = r.c.nxt + tcp.Seq(ack)
	}
	return r.do(Arrive(s))
}

// window delivers an ACK of everything that offers a window.
func (r *rig) window(ack tcp.Seq, n uint32) *rig {
	r.t.Helper()
	return r.do(Arrive(tcp.Segment{Seq: r.c.rcvNxt, Ack: ack, Flags: tcp.ACK, Window: n}))
}

// sent is what the last Step sent.
func (r *rig) sent() string {
	var all []string
	for _, s := range r.fx.Segments() {
		s.MSS = 0
		all = append(all, s.String())
	}
	return strings.Join(all, " ")
}

func (r *rig) wantSent(want ...string) *rig {
	r.t.Helper()
	if got := r.sent(); got != strings.Join(want, " ") {
		r.t.Errorf("%s: sent %q, want %q", r.p.Name, got, strings.Join(want, " "))
	}
	return r
}

func (r *rig) wantState(want tcp.State) *rig {
	r.t.Helper()
	if r.c.State() != want {
		r.t.Errorf("%s: in %v, want %v", r.p.Name, r.c.State(), want)
	}
	return r
}

func (r *rig) wantResult(n uint32, err Errno) *rig {
	r.t.Helper()
	if got := r.fx.Result; got.N != n || got.Err != err {
		r.t.Errorf("%s: %v in %v returned %d, %v; want %d, %v", r.p.Name, got.Call, r.c.State(), got.N, got.Err, n, err)
	}
	return r
}

func (r *rig) wantEOF() *rig {
	r.t.Helper()
	if !r.fx.Result.EOF() {
		r.t.Errorf("%s: returned %d, %v; want the return of zero", r.p.Name, r.fx.Result.N, r.fx.Result.Err)
	}
	return r
}

// ack is the ACK that says where the connection stands.
func (r *rig) ack() string {
	return fmt.Sprintf("<SEQ=%d><ACK=%d><CTL=ACK>", r.c.nxt, r.c.rcvNxt)
}

// opened is a connection in ESTABLISHED, opened actively.
func opened(t *testing.T, p Profile) *rig {
	t.Helper()
	r := newRig(t, p)
	r.do(OpenActive(iss))
	r.do(Arrive(tcp.Segment{Seq: irs, Ack: iss + 1, Flags: tcp.SYN | tcp.ACK, Window: wnd, MSS: 1460}))
	return r.wantState(tcp.Established)
}

// in takes a connection to a state by its usual way.
func in(t *testing.T, p Profile, want tcp.State) *rig {
	t.Helper()
	var r *rig
	switch want {
	case tcp.Closed:
		return newRig(t, p)
	case tcp.Listen:
		r = newRig(t, p).do(OpenPassive())
	case tcp.SynSent:
		r = newRig(t, p).do(OpenActive(iss))
	case tcp.SynReceived:
		r = newRig(t, p).do(OpenPassive())
		r.do(ArriveAt(tcp.Segment{Seq: irs, Flags: tcp.SYN, Window: wnd, MSS: 1460}, iss))
	case tcp.Established:
		r = opened(t, p)
	case tcp.FinWait1:
		r = opened(t, p).do(Shutdown(ShutWrite))
	case tcp.FinWait2:
		r = in(t, p, tcp.FinWait1).arrive(tcp.ACK, 0, 0, 0)
	case tcp.CloseWait:
		r = opened(t, p).arrive(tcp.FIN|tcp.ACK, 0, 0, 0)
	case tcp.Closing:
		r = in(t, p, tcp.FinWait1).arrive(tcp.FIN|tcp.ACK, 0, -1, 0)
	case tcp.LastAck:
		r = in(t, p, tcp.CloseWait).do(Shutdown(ShutWrite))
	case tcp.TimeWait:
		r = in(t, p, tcp.FinWait2).arrive(tcp.FIN|tcp.ACK, 0, 0, 0)
	}
	return r.wantState(want)
}

// everyState is all there are, in the order of RFC 9293 §3.3.2.
var everyState = []tcp.State{
	tcp.Listen, tcp.SynSent, tcp.SynReceived, tcp.Established, tcp.FinWait1, tcp.FinWait2,
	tcp.CloseWait, tcp.Closing, tcp.LastAck, tcp.TimeWait, tcp.Closed,
}

// synchronized are those in which a segment can be judged by its numbers.
var synchronized = everyState[3:10]
