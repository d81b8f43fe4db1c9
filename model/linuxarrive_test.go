package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

// What follows was found by giving segments of all kinds, at every edge, to Linux
// 6.18 through a TUN device, and to the model.

// synchronizedRecords is where Linux looks at the whole of §3.10.7.4: TIME-WAIT
// has an order of its own.
var synchronizedRecords = synchronized[:6]

func TestLinuxDropsWhatCarriesNoACKBeforeItLooksAtItsNumber(t *testing.T) {
	for _, p := range []Profile{Linux(), GVisor()} {
		for _, state := range synchronizedRecords {
			for _, seq := range []int{-1000, -1, 0, 1, 1000, 5000} {
				in(t, p, state).arrive(tcp.FIN, seq, 0, 0).wantState(state).wantSent()
				in(t, p, state).arrive(0, seq, 0, 10).wantState(state).wantSent()
			}
		}
	}
	r := in(t, RFC9293(), tcp.Established)
	r.arrive(tcp.FIN, 1000, 0, 0).wantSent(r.ack())
	// In the SYN queue, and in what is left of an orphan, the number comes first.
	r = in(t, Linux(), tcp.SynReceived)
	r.arrive(tcp.FIN, 1000, 0, 0).wantSent("<SEQ=101><ACK=301><CTL=ACK>")
	r = in(t, Linux(), tcp.FinWait2).do(Close())
	r.arrive(tcp.FIN, 1000, 0, 0).wantSent(r.ack()).wantState(tcp.FinWait2)
}

func TestLinuxChallengesARSTWhereItTakesOtherSegments(t *testing.T) {
	for _, p := range []Profile{Linux(), GVisor()} {
		for _, state := range synchronizedRecords {
			r := in(t, p, state)
			r.arrive(tcp.RST, int(r.c.RcvWnd()), 0, 0).wantState(state).wantSent(r.ack())
			r = in(t, p, state)
			r.arrive(tcp.RST, int(r.c.RcvWnd())+1, 0, 0).wantState(state).wantSent()
		}
	}
	for _, state := range synchronizedRecords {
		r := in(t, Linux(), state)
		r.arrive(tcp.RST|tcp.ACK, -10, 0, 10).wantState(state).wantSent(r.ack())
		r = in(t, Linux(), state)
		r.arrive(tcp.RST|tcp.ACK, -11, 0, 10).wantState(state).wantSent()
	}
	r := in(t, Linux(), tcp.SynReceived)
	r.arrive(tcp.RST, int(r.c.RcvWnd()), 0, 0).wantState(tcp.SynReceived).wantSent("<SEQ=101><ACK=301><CTL=ACK>")
	in(t, FreeBSD(), tcp.Established).arrive(tcp.RST, 1000, 0, 0).wantSent()
}

// RFC 5961 §5.2: "all incoming segments whose ACK value doesn't satisfy the above
// condition MUST be discarded and an ACK sent back"; Linux 6.18.44 does so, older
// ones only in the other states.
func TestLinuxAnswersTheACKOfWhatWasNotSent(t *testing.T) {
	for _, state := range synchronizedRecords {
		r := in(t, Linux(), state)
		r.arrive(tcp.ACK, 0, 1, 0).wantState(state).wantSent(r.ack())
	}
}

// tcp_check_req: the acknowledgment, then the number; of a RST the number alone.
func TestLinuxLooksAtTheACKFirstInTheSYNQueue(t *testing.T) {
	for _, ack := range []tcp.Seq{50, iss, iss + 2, iss + 1000} {
		for _, seq := range []tcp.Seq{irs - 50, irs, irs + 1, irs + 50, irs + 1001, irs + 5000} {
			for _, flags := range []tcp.Flags{tcp.ACK, tcp.ACK | tcp.FIN, tcp.ACK | tcp.SYN} {
				in(t, Linux(), tcp.SynReceived).do(Arrive(tcp.Segment{Seq: seq, Ack: ack, Flags: flags, Window: wnd})).
					wantState(tcp.SynReceived).wantSent(tcp.Segment{Seq: ack, Flags: tcp.RST}.String())
			}
		}
	}
	// "Out of window: send ACK and drop": also what ends right at RCV.NXT.
	for _, seq := range []tcp.Seq{irs, irs + 1002} {
		in(t, Linux(), tcp.SynReceived).
			do(Arrive(tcp.Segment{Seq: seq, Ack: iss + 1, Flags: tcp.ACK | tcp.FIN, Window: wnd})).
			wantState(tcp.SynReceived).wantSent("<SEQ=101><ACK=301><CTL=ACK>")
	}
	in(t, Linux(), tcp.SynReceived).arrive(tcp.ACK|tcp.SYN|tcp.FIN, -1, 0, 10).
		wantState(tcp.SynReceived).wantSent("<SEQ=101><ACK=301><CTL=ACK>")
	in(t, Linux(), tcp.SynReceived).arrive(tcp.ACK|tcp.RST, 0, -5, 0).wantState(tcp.Listen).wantSent()
	in(t, Linux(), tcp.SynReceived).arrive(tcp.ACK, 0, 0, 0).wantState(tcp.Established).wantSent()
}

// tcp_minisocks.c tcp_timewait_state_process: "Out of window, send ACK", a RST too.
func TestLinuxAnswersAnyNumberOutOfWindowForAnOrphan(t *testing.T) {
	for _, seq := range []int{-1, 1001} {
		r := in(t, Linux(), tcp.FinWait2).do(Close())
		r.arrive(tcp.RST, seq, 0, 0).wantState(tcp.FinWait2).wantSent(r.ack())
	}
	in(t, Linux(), tcp.FinWait2).arrive(tcp.RST, -1, 0, 0).wantSent()
}

// The same: data behind RCV.NXT, or a RST, is all that counts; ACKs are not looked at.
func TestLinuxLooksAtNoACKForAnOrphan(t *testing.T) {
	for _, ack := range []int{1, 1000, -100_000} {
		r := in(t, Linux(), tcp.FinWait2).do(Close())
		rst := tcp.Segment{Seq: r.c.nxt + tcp.Seq(ack), Flags: tcp.RST}
		r.arrive(tcp.ACK, 0, ack, 1).wantState(tcp.Closed).wantSent(rst.String())
	}
}

// tcp_ack: "max_window = min(tp->max_window, tp->bytes_acked)".
func TestLinuxChallengesTheACKOfWhatLiesBeforeTheISS(t *testing.T) {
	r := in(t, Linux(), tcp.SynReceived).arrive(tcp.ACK, 0, 0, 0)
	r.arrive(tcp.ACK, 0, -1, 10).wantSent(r.ack()) // the data is not taken
	r = in(t, Linux(), tcp.SynReceived).arrive(tcp.ACK, 0, 0, 0).do(Write(10)).arrive(tcp.ACK, 0, 0, 0)
	r.arrive(tcp.ACK, 0, -10, 0).wantSent()
	r.arrive(tcp.ACK, 0, -11, 0).wantSent(r.ack())
	// Who connected has had its SYN acknowledged.
	r = in(t, Linux(), tcp.SynSent).do(Arrive(tcp.Segment{Seq: irs, Ack: iss + 1, Flags: tcp.SYN | tcp.ACK, Window: wnd}))
	r.arrive(tcp.ACK, 0, -1, 0).wantSent()
	r.arrive(tcp.ACK, 0, -2, 0).wantSent(r.ack())
	in(t, RFC9293(), tcp.SynReceived).arrive(tcp.ACK, 0, 0, 0).arrive(tcp.ACK, 0, -1, 0).wantSent()
}

// tcp.c tcp_shutdown, and tcp_input.c tcp_rcv_state_process where SYN_RECV ends.
func TestLinuxShutsDownACrossedOpenWhenItIsOpen(t *testing.T) {
	crossed := func(p Profile) *rig {
		return in(t, p, tcp.SynSent).do(Arrive(tcp.Segment{Seq: irs, Flags: tcp.SYN, Window: wnd})).wantState(tcp.SynReceived)
	}
	r := crossed(Linux()).do(Shutdown(ShutWrite)).wantState(tcp.SynReceived).wantSent()
	r.do(Write(1)).wantResult(0, EPIPE)
	r.arrive(tcp.ACK, 0, 0, 0).wantState(tcp.FinWait1).wantSent("<SEQ=101><ACK=301><CTL=FIN|ACK>")
	crossed(Linux()).do(Close()).wantState(tcp.FinWait1).wantSent("<SEQ=101><ACK=301><CTL=FIN|ACK>")
	crossed(RFC9293()).do(Shutdown(ShutWrite)).wantState(tcp.FinWait1)
}

// tcp_ipv4.c tcp_v4_rcv: TCP_TW_SYN without a listener falls through to TCP_TW_ACK,
// which is not limited.
func TestLinuxAnswersEverySYNThatCouldTakeATimeWaitsPlace(t *testing.T) {
	r := in(t, Linux(), tcp.TimeWait)
	r.arrive(tcp.SYN, 10, 0, 0).wantSent(r.ack()).arrive(tcp.SYN, 10, 0, 0).wantSent(r.ack()).wantState(tcp.TimeWait)
	r.arrive(tcp.SYN, -10, 0, 0).wantSent(r.ack()).arrive(tcp.SYN, -10, 0, 0).wantSent()
}
