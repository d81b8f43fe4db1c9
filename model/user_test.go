package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

func toldHowItEnded(t *testing.T) {
	for _, p := range Profiles() {
		// Normally: what was queued comes first, then zero, and no error.
		r := opened(t, p).arrive(tcp.ACK|tcp.PSH, 0, 0, 50).arrive(tcp.FIN|tcp.ACK, 0, 0, 0)
		if !r.fx.Notes.Has(PeerClosed) || r.fx.Notes.Has(Failed) {
			t.Errorf("%s: a FIN is noted as %v", p.Name, r.fx.Notes)
		}
		r.do(Read(20)).wantResult(20, OK).do(Read(100)).wantResult(30, OK).do(Read(100)).wantEOF().do(GetError()).wantResult(0, OK)
		// Aborted.
		r = opened(t, p).arrive(tcp.RST, 0, 0, 0).wantState(tcp.Closed)
		if !r.fx.Notes.Has(Failed | Ended) {
			t.Errorf("%s: a RST is noted as %v", p.Name, r.fx.Notes)
		}
		r.do(Read(100)).wantResult(0, ECONNRESET).do(Read(100)).wantEOF()
		// Aborted after the FIN.
		r = in(t, p, tcp.CloseWait).arrive(tcp.RST, 0, 0, 0).wantState(tcp.Closed)
		if p.EOFBeforeError {
			r.do(Read(100)).wantEOF()
		}
		r.do(GetError()).wantResult(0, p.ResetInCloseWait).do(GetError()).wantResult(0, OK)
		r.do(Write(1)).wantResult(0, EPIPE)
	}
}

// kernel-facts: "recv() still returns 0 and queued data stays readable after a
// RST; the error shows on SO_ERROR, poll or write."
func TestLinuxReadsOnAfterReset(t *testing.T) {
	r := opened(t, Linux()).arrive(tcp.ACK, 0, 0, 50).arrive(tcp.FIN|tcp.ACK, 0, 0, 0).arrive(tcp.RST, 0, 0, 0)
	r.wantState(tcp.Closed).do(Read(30)).wantResult(30, OK).do(Read(30)).wantResult(20, OK).do(Read(30)).wantEOF()
	r.do(Write(1)).wantResult(0, EPIPE).do(GetError()).wantResult(0, OK)

	r = opened(t, Linux()).arrive(tcp.ACK, 0, 0, 50).arrive(tcp.RST, 0, 0, 0)
	r.do(Read(99)).wantResult(50, OK).do(Write(1)).wantResult(0, ECONNRESET).do(Write(1)).wantResult(0, EPIPE).do(Read(9)).wantEOF()

	r = opened(t, RFC9293()).arrive(tcp.ACK, 0, 0, 50).arrive(tcp.RST, 0, 0, 0)
	r.do(Read(99)).wantResult(0, ECONNRESET)
}

func TestDestroyLeavesTheDescriptor(t *testing.T) {
	r := in(t, Linux(), tcp.CloseWait).do(Destroy()).wantState(tcp.Closed).wantSent("<SEQ=101><ACK=302><CTL=RST|ACK>")
	r.do(Read(9)).wantEOF().do(GetError()).wantResult(0, ECONNABORTED)
	r = opened(t, Linux()).do(Destroy())
	r.do(Read(9)).wantResult(0, ECONNABORTED).do(Read(9)).wantEOF()
}

func TestRecvQCountsTheFIN(t *testing.T) {
	r := opened(t, Linux()).arrive(tcp.ACK, 0, 0, 5).arrive(tcp.FIN|tcp.ACK, 0, 0, 0)
	if q := r.c.RecvQ(); q != 6 {
		t.Errorf("Recv-Q is %d with 5 octets and a FIN unread", q)
	}
	r.do(Read(4))
	if q := r.c.RecvQ(); q != 2 {
		t.Errorf("Recv-Q is %d with 1 octet and a FIN unread", q)
	}
	r.do(Read(4))
	if q := r.c.RecvQ(); q != 0 || r.c.EOFRead() {
		t.Errorf("Recv-Q is %d after the last octet was read, EOF read: %v", q, r.c.EOFRead())
	}
	r = in(t, Linux(), tcp.CloseWait).do(Peek(1)).wantEOF()
	if q := r.c.RecvQ(); q != 1 {
		t.Errorf("Recv-Q is %d after a peek at the FIN", q)
	}
}

func halfClosed(t *testing.T) {
	// C5: CLOSE-WAIT sends, FIN-WAIT-2 receives, for as long as they like.
	for _, p := range Profiles() {
		r := in(t, p, tcp.CloseWait).do(Write(70)).wantResult(70, OK).wantSent("<SEQ=101><ACK=302><DATA=70><CTL=PSH|ACK>")
		r.arrive(tcp.ACK, 0, 0, 0).wantState(tcp.CloseWait)
		r = in(t, p, tcp.FinWait2).arrive(tcp.ACK, 0, 0, 70).wantState(tcp.FinWait2).wantSent("<SEQ=102><ACK=371><CTL=ACK>")
		r.do(Read(100)).wantResult(70, OK).do(Read(100)).wantResult(0, EAGAIN)
	}
}

func dataLost(t *testing.T) {
	for _, row := range []struct {
		p   Profile
		rst string
	}{{RFC9293(), "<SEQ=101><CTL=RST>"}, {Linux(), "<SEQ=101><ACK=351><CTL=RST|ACK>"}} {
		opened(t, row.p).arrive(tcp.ACK, 0, 0, 50).do(Close()).wantSent(row.rst).wantState(tcp.Closed)
		opened(t, row.p).arrive(tcp.ACK, 0, 0, 50).do(Exit()).wantSent(row.rst).wantState(tcp.Closed)
		// The FIN itself is not data.
		in(t, row.p, tcp.CloseWait).do(Close()).wantState(tcp.LastAck).wantSent("<SEQ=101><ACK=302><CTL=FIN|ACK>")
	}
	// C8: new data after CLOSE, in FIN-WAIT-1 and FIN-WAIT-2.
	for _, p := range Profiles() {
		opened(t, p).do(Close()).arrive(tcp.ACK, 0, -1, 50).wantSent("<SEQ=101><CTL=RST>").wantState(tcp.Closed)
		opened(t, p).do(Close()).arrive(tcp.ACK, 0, 0, 0).wantState(tcp.FinWait2).
			arrive(tcp.ACK, 0, 0, 50).wantSent("<SEQ=102><CTL=RST>").wantState(tcp.Closed)
	}
	// Not closed, but shut down in both directions.
	r := in(t, Linux(), tcp.FinWait2).do(Shutdown(ShutRead)).arrive(tcp.ACK, 0, 0, 50)
	r.wantSent("<SEQ=102><CTL=RST>").wantState(tcp.Closed)
	r = in(t, FreeBSD(), tcp.FinWait2).do(Shutdown(ShutRead)).arrive(tcp.ACK, 0, 0, 50)
	r.wantSent("<SEQ=102><ACK=351><CTL=ACK>").wantState(tcp.FinWait2).do(Read(9)).wantEOF()
}

func openByState(t *testing.T) {
	p := RFC9293()
	newRig(t, p).do(OpenActive(iss)).wantState(tcp.SynSent).wantSent("<SEQ=100><CTL=SYN>").wantResult(0, EINPROGRESS)
	newRig(t, p).do(OpenPassive()).wantState(tcp.Listen).wantSent()
	for _, s := range everyState {
		if s == tcp.Closed || s == tcp.Listen {
			continue
		}
		want := EISCONN // "error: connection already exists"
		if s == tcp.SynSent {
			want = EALREADY
		}
		in(t, p, s).do(OpenActive(iss)).wantResult(0, want).wantState(s).do(OpenPassive()).wantResult(0, EISCONN).wantState(s)
	}
}

func sendByState(t *testing.T) {
	p := RFC9293()
	for _, s := range everyState {
		r := in(t, p, s).do(Write(10))
		switch s {
		case tcp.Closed, tcp.Listen:
			r.wantResult(0, ENOTCONN).wantSent() // "error: connection does not exist"
		case tcp.SynSent, tcp.SynReceived:
			r.wantResult(10, OK).wantSent() // queued until ESTABLISHED
		case tcp.Established, tcp.CloseWait:
			r.wantResult(10, OK)
			if r.fx.Len() != 1 {
				t.Errorf("in %v sent %q", s, r.sent())
			}
		default:
			r.wantResult(0, EPIPE).wantSent() // "error: connection closing"
		}
	}
	// What was queued goes out when the handshake is over.
	r := in(t, p, tcp.SynReceived).do(Write(10)).arrive(tcp.ACK, 0, 0, 0).wantState(tcp.Established)
	r.wantSent("<SEQ=101><ACK=301><DATA=10><CTL=PSH|ACK>")
	// "If there is insufficient space to remember this buffer": what fits is taken.
	p.SendBuffer = 15
	opened(t, p).do(Write(10)).do(Write(10)).wantResult(5, OK).do(Write(10)).wantResult(0, EAGAIN)
}

func receiveByState(t *testing.T) {
	p := RFC9293()
	for _, s := range everyState {
		r := in(t, p, s).do(Read(10))
		switch s {
		case tcp.Closed, tcp.Listen:
			r.wantResult(0, ENOTCONN)
		case tcp.SynSent, tcp.SynReceived, tcp.Established, tcp.FinWait1, tcp.FinWait2:
			r.wantResult(0, EAGAIN)
		default:
			r.wantEOF() // "error: connection closing", as sockets say it
		}
	}
	in(t, p, tcp.FinWait2).arrive(tcp.FIN|tcp.ACK, 0, 0, 30).wantState(tcp.TimeWait).
		do(Read(20)).wantResult(20, OK).do(Read(20)).wantResult(10, OK).do(Read(20)).wantEOF()
}

func closeByState(t *testing.T) {
	p := RFC9293()
	for _, row := range []struct {
		from, to tcp.State
		sent     string
	}{
		{tcp.Closed, tcp.Closed, ""}, {tcp.Listen, tcp.Closed, ""}, {tcp.SynSent, tcp.Closed, ""},
		{tcp.SynReceived, tcp.FinWait1, "<SEQ=101><ACK=301><CTL=FIN|ACK>"},
		{tcp.Established, tcp.FinWait1, "<SEQ=101><ACK=301><CTL=FIN|ACK>"},
		{tcp.FinWait1, tcp.FinWait1, ""}, {tcp.FinWait2, tcp.FinWait2, ""},
		{tcp.CloseWait, tcp.LastAck, "<SEQ=101><ACK=302><CTL=FIN|ACK>"},
		{tcp.Closing, tcp.Closing, ""}, {tcp.LastAck, tcp.LastAck, ""}, {tcp.TimeWait, tcp.TimeWait, ""},
	} {
		in(t, p, row.from).do(Close()).wantState(row.to).wantSent(row.sent).do(Close()).wantResult(0, EBADF)
	}
	// Data that was written goes before the FIN, and with it if it fits.
	opened(t, p).window(101, 1460).do(Write(1470)).do(Close()).wantState(tcp.FinWait1).wantSent().
		window(1561, wnd).wantSent("<SEQ=1561><ACK=301><DATA=10><CTL=FIN|PSH|ACK>")
	// In SYN-RECEIVED, with data pending, the close waits for ESTABLISHED.
	in(t, p, tcp.SynReceived).do(Write(5)).do(Close()).wantState(tcp.SynReceived).wantSent().
		arrive(tcp.ACK, 0, 0, 0).wantState(tcp.FinWait1).wantSent("<SEQ=101><ACK=301><DATA=5><CTL=FIN|PSH|ACK>")
}

func abortByState(t *testing.T) {
	for _, s := range everyState {
		r := in(t, RFC9293(), s)
		rst := ""
		switch s {
		case tcp.SynReceived, tcp.Established, tcp.CloseWait:
			rst = "<SEQ=101><CTL=RST>"
		case tcp.FinWait1, tcp.FinWait2:
			rst = "<SEQ=102><CTL=RST>"
		}
		r.do(Abort()).wantState(tcp.Closed).wantSent(rst).wantResult(0, OK)
	}
	opened(t, Linux()).do(Linger(true, 0)).do(Close()).wantState(tcp.Closed).wantSent("<SEQ=101><ACK=301><CTL=RST|ACK>")
	opened(t, Linux()).do(Linger(true, Second)).do(Close()).wantState(tcp.FinWait1)
}

func TestShutdownOfReadingSaysNothingToThePeer(t *testing.T) {
	r := opened(t, Linux()).arrive(tcp.ACK, 0, 0, 5).do(Shutdown(ShutRead)).wantSent().wantState(tcp.Established)
	r.do(Read(9)).wantResult(5, OK).do(Read(9)).wantEOF().arrive(tcp.ACK, 0, 0, 5).do(Read(9)).wantResult(5, OK)
	r = opened(t, FreeBSD()).arrive(tcp.ACK, 0, 0, 5).do(Shutdown(ShutRead)).wantSent().do(Read(9)).wantEOF()
	r.arrive(tcp.ACK, 0, 0, 5).wantSent("<SEQ=101><ACK=311><CTL=ACK>").do(Read(9)).wantEOF()
}
