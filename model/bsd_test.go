package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

// bsdRig is FreeBSD as it is, its own ways included.
func bsdRig(t *testing.T) *rig {
	t.Helper()
	p := FreeBSD()
	return &rig{t: t, p: p, c: NewConn(&p), now: Second}
}

// bsdOpen opens a connection from here to a peer with segments of 1460 octets.
func bsdOpen(t *testing.T) *rig {
	t.Helper()
	r := bsdRig(t).do(OpenActive(iss))
	return r.do(Arrive(tcp.Segment{Seq: irs, Ack: iss + 1, Flags: tcp.SYN | tcp.ACK, Window: wnd, MSS: 1460}))
}

func TestBSDRepeatsItsFINWithAnACK(t *testing.T) {
	r := bsdOpen(t).do(Shutdown(ShutWrite)).wantSent("<SEQ=101><ACK=301><CTL=FIN|ACK>")
	// The peer's FIN crosses ours: the ACK of it brings our FIN again.
	r.do(Arrive(tcp.Segment{Seq: irs + 1, Ack: iss + 1, Flags: tcp.FIN | tcp.ACK, Window: wnd}))
	r.wantState(tcp.Closing).wantSent("<SEQ=101><ACK=302><CTL=FIN|ACK>")
	// A challenge ACK does not.
	r.do(Arrive(tcp.Segment{Seq: irs + 2, Flags: tcp.SYN})).wantState(tcp.Closing).wantSent("<SEQ=102><ACK=302><CTL=ACK>")
}

func TestBSDWindowIsItsBuffer(t *testing.T) {
	const whole = 45 * 1460 // the next multiple after 65536
	r := bsdOpen(t)
	if got := r.c.RcvWnd(); got != whole {
		t.Fatalf("the window is %d, want %d", got, whole)
	}
	r.do(Arrive(tcp.Segment{Seq: irs + 1, Ack: iss + 1, Flags: tcp.FIN | tcp.ACK, Window: wnd})).wantState(tcp.CloseWait)
	// The FIN takes no room: the window's right edge moves with it.
	r.do(Arrive(tcp.Segment{Seq: irs + 2 + whole - 1, Flags: tcp.RST})).wantState(tcp.CloseWait).wantSent("<SEQ=101><ACK=302><CTL=ACK>")
	r.do(Arrive(tcp.Segment{Seq: irs + 2 + whole, Flags: tcp.RST})).wantState(tcp.CloseWait).wantSent()
}

func TestBSDTakesACrossedFINAtOnce(t *testing.T) {
	r := bsdRig(t).do(OpenActive(iss))
	r.do(Arrive(tcp.Segment{Seq: irs, Flags: tcp.SYN | tcp.FIN, Window: wnd, MSS: 1460}))
	r.wantState(tcp.CloseWait).wantSent("<SEQ=100><ACK=302><CTL=SYN|ACK>")
	r.do(Arrive(tcp.Segment{Seq: irs + 2, Ack: iss + 1, Flags: tcp.ACK, Window: wnd})).wantState(tcp.CloseWait).wantSent()
	r.do(Close()).wantState(tcp.LastAck).wantSent("<SEQ=101><ACK=302><CTL=FIN|ACK>")
	r.do(Arrive(tcp.Segment{Seq: irs + 2, Ack: iss + 2, Flags: tcp.ACK, Window: wnd})).wantState(tcp.Closed)
}

// In FIN-WAIT-2 a second shutdown(SHUT_WR) is more than nothing on BSD
// (tcp_usrclosed): reading is over, and the connection no longer waits for ever.
func TestBSDSecondShutdownEndsReading(t *testing.T) {
	r := bsdOpen(t).do(Shutdown(ShutWrite)).do(Arrive(tcp.Segment{Seq: irs + 1, Ack: iss + 2, Flags: tcp.ACK, Window: wnd}))
	r.wantState(tcp.FinWait2)
	if r.c.waitAt != 0 {
		t.Fatal("a half-close alone starts the FIN-WAIT-2 timer")
	}
	// What is unread can still be read.
	r.do(Arrive(tcp.Segment{Seq: irs + 1, Ack: iss + 2, Len: 5, Flags: tcp.ACK | tcp.PSH, Window: wnd}))
	r.do(Shutdown(ShutWrite)).wantState(tcp.FinWait2).wantResult(0, OK).wantSent()
	if want := r.now + 600*Second; r.c.waitAt != want {
		t.Errorf("the FIN-WAIT-2 timer is due at %v, want %v", r.c.waitAt, want)
	}
	r.do(Read(9)).wantResult(5, OK).do(Read(9)).wantEOF()
	// What arrives is acknowledged and thrown away.
	r.do(Arrive(tcp.Segment{Seq: irs + 6, Ack: iss + 2, Len: 5, Flags: tcp.ACK | tcp.PSH, Window: wnd})).wantState(tcp.FinWait2)
	r.do(Read(9)).wantEOF()

	// Elsewhere it does nothing.
	r = in(t, Linux(), tcp.FinWait2).do(Shutdown(ShutWrite)).wantState(tcp.FinWait2).wantResult(0, OK).wantSent()
	r.do(Read(9)).wantResult(0, EAGAIN)
}
