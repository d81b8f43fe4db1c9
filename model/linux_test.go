package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

// What follows was found by playing random stories on Linux 6.18 and on the model
// (internal/lab/agree, whose testdata has each as a story).

func TestLinuxSocketsConnectOnce(t *testing.T) {
	r := opened(t, Linux()).arrive(tcp.RST, 0, 0, 0).wantState(tcp.Closed)
	r.do(OpenActive(iss)).wantResult(0, EISCONN)
	r = in(t, Linux(), tcp.SynSent).arrive(tcp.RST|tcp.ACK, 0, 0, 0).wantState(tcp.Closed)
	r.do(OpenActive(iss)).wantResult(0, ECONNREFUSED)
	r.do(OpenActive(iss)).wantResult(0, EINPROGRESS)
	// Who has taken the error is told another.
	r.arrive(tcp.RST|tcp.ACK, 0, 0, 0).do(GetError()).wantResult(0, ECONNREFUSED)
	r.do(OpenActive(iss)).wantResult(0, ECONNABORTED)
	// Other stacks try anew at once.
	in(t, RFC9293(), tcp.SynSent).arrive(tcp.RST|tcp.ACK, 0, 0, 0).do(OpenActive(iss)).wantResult(0, EINPROGRESS)
}

func TestLinuxShutsDownWhatIsNotConnected(t *testing.T) {
	r := in(t, Linux(), tcp.SynSent).do(Shutdown(ShutRead)).wantState(tcp.Closed).wantResult(0, OK)
	r.do(Write(1)).wantResult(0, ECONNRESET).do(Read(1)).wantResult(0, ENOTCONN)
	r.do(Shutdown(ShutRead)).wantResult(0, ENOTCONN).do(Read(1)).wantEOF()
	r.do(OpenActive(iss)).wantResult(0, EINPROGRESS)
	r.arrive(tcp.RST|tcp.ACK, 0, 0, 0).do(Shutdown(ShutWrite)).wantResult(0, ENOTCONN)
	r.do(OpenActive(iss)).wantResult(0, EINVAL)
}

func TestLinuxWritesWhenConnected(t *testing.T) {
	in(t, Linux(), tcp.SynSent).do(Write(1)).wantResult(0, EAGAIN)
	in(t, RFC9293(), tcp.SynSent).do(Write(1)).wantResult(1, OK)
}

func TestLinuxTimeWaitOutlivesItsSocket(t *testing.T) {
	for _, e := range []Event{Abort(), Close()} {
		in(t, Linux(), tcp.TimeWait).do(e).wantState(tcp.TimeWait).wantSent()
	}
	r := in(t, Linux(), tcp.TimeWait).do(Destroy()).wantState(tcp.Closed)
	r.do(GetError()).wantResult(0, OK)
	in(t, RFC9293(), tcp.TimeWait).do(Abort()).wantState(tcp.Closed)
}

func TestLinuxSendsASYNAgainAfterABadACK(t *testing.T) {
	r := in(t, Linux(), tcp.SynSent)
	bad := tcp.Segment{Seq: 7, Ack: 50, Flags: tcp.ACK, Window: wnd}
	r.do(Arrive(bad)).wantSent("<SEQ=50><CTL=RST>")
	if took := r.tick(); took != 0 || r.sent() != "<SEQ=100><CTL=SYN>" {
		t.Errorf("sent %q after %v", r.sent(), took)
	}
	r.do(Arrive(bad)).wantSent("<SEQ=50><CTL=RST>") // once only
	if took := r.tick(); took != Second {
		t.Errorf("the next SYN after %v", took)
	}
}

// Four at intervals of a second, six that double, and the end after 131 s.
func TestLinuxSYNsAreLinearFirst(t *testing.T) {
	r := in(t, Linux(), tcp.SynSent)
	var at []int
	for r.c.State() == tcp.SynSent && len(at) < 20 {
		r.tick()
		at = append(at, int((r.now-Second)/Second))
	}
	want := []int{1, 2, 3, 4, 5, 7, 11, 19, 35, 67, 131}
	if len(at) != len(want) || at[5] != want[5] || at[10] != want[10] {
		t.Errorf("SYNs again after %v s, want %v", at, want)
	}
	// With fewer, the sum of the waits that double is a limit too.
	p := Linux()
	p.SYNRetries = 2
	r = in(t, p, tcp.SynSent)
	for range 6 {
		r.tick()
	}
	if r.wantState(tcp.Closed); r.now != 8*Second {
		t.Errorf("ends after %v", r.now-Second)
	}
}

func TestLinuxCountsEarlyFINsAsData(t *testing.T) {
	for _, how := range []Event{Close(), Shutdown(ShutBoth)} {
		for _, ack := range []int{-1, 0} {
			opened(t, Linux()).do(how).arrive(tcp.FIN|tcp.ACK, 5, ack, 0).wantState(tcp.Closed)
		}
	}
	in(t, Linux(), tcp.FinWait2).arrive(tcp.FIN|tcp.ACK, 5, 0, 0).wantState(tcp.FinWait2)
}

func TestLinuxTakesACKsOfWhatEndsAtTheEdge(t *testing.T) {
	r := opened(t, Linux()).arrive(tcp.ACK, 0, 0, 5).do(Write(9))
	r.arrive(tcp.ACK, -5, 0, 5).wantSent(r.ack())
	if r.c.SendQ() != 0 {
		t.Error("its ACK is not taken")
	}
	r = opened(t, RFC9293()).arrive(tcp.ACK, 0, 0, 5).do(Write(9)).arrive(tcp.ACK, -5, 0, 5)
	if r.c.SendQ() == 0 {
		t.Error("RFC 9293 drops such a segment")
	}
}

func TestSackBringsWhatWasLost(t *testing.T) {
	p := Linux()
	r := opened(t, p).do(Write(10)).do(Write(20))
	gap := tcp.Segment{Seq: r.c.rcvNxt, Ack: r.c.una, Flags: tcp.ACK, Window: wnd, Sack: 10}
	r.do(Arrive(gap)).wantSent("<SEQ=101><ACK=301><DATA=30><CTL=PSH|ACK>")
	r.do(Arrive(gap)).wantSent() // once
	if opened(t, p).arrive(tcp.ACK, 10, 0, 5).fx.Segment(0).Sack != 10 {
		t.Error("an ACK does not tell of the gap")
	}
}

// RFC 5681 §3.1: after a timeout the window is one segment.
func TestLossWindowHoldsNewDataBack(t *testing.T) {
	p := Linux()
	p.TailProbe = false
	r := opened(t, p).do(Write(10))
	r.tick()
	r.do(Write(20)).wantSent().do(Close()).wantSent()
	r.arrive(tcp.ACK, 0, 0, 0).wantSent("<SEQ=111><ACK=301><DATA=20><CTL=FIN|PSH|ACK>")
}

func TestKeepaliveThatRunsIsNotBegunAgain(t *testing.T) {
	r := opened(t, Linux()).do(KeepAlive(true, Minute, 0, 0)).after(50 * Second)
	r.do(KeepAlive(true, 0, 0, 0))
	if at, _ := r.c.Deadline(Keepalive); at != r.now+10*Second {
		t.Errorf("the next probe in %v", at-r.now)
	}
}

func TestQueuesAreShownAsToolsShowThem(t *testing.T) {
	if n := in(t, Linux(), tcp.SynReceived).c.SendQ(); n != 0 {
		t.Errorf("a SYN|ACK counts as %d", n)
	}
	if n := in(t, Linux(), tcp.CloseWait).do(Close()).c.RecvQ(); n != 1 {
		t.Errorf("an orphan's unread FIN counts as %d", n)
	}
}

// "or the right-most SACK block" (Linux, beyond RFC 5961 §3.2).
func TestResetBehindWhatCameEarlyIsBelieved(t *testing.T) {
	early := func(p Profile) *rig { return opened(t, p).arrive(tcp.FIN|tcp.ACK, 10, 0, 5) }
	early(Linux()).arrive(tcp.RST, 16, 0, 0).wantState(tcp.Closed)
	early(Linux()).arrive(tcp.RST, 15, 0, 0).wantState(tcp.Established)
	early(RFC9293()).arrive(tcp.RST, 16, 0, 0).wantState(tcp.Established)
}

// Two small segments are a tail of several, be they shorter than one.
func TestTailOfSeveralIsProbedForSoon(t *testing.T) {
	r := opened(t, Linux()).do(Write(1))
	lone := r.c.sendAt - r.now
	r.do(Write(1))
	if both := r.c.sendAt - r.now; both >= lone || both > 50*Millisecond {
		t.Errorf("a probe after %v, of one segment after %v", both, lone)
	}
}
