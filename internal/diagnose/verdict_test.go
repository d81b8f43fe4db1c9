package diagnose

import (
	"testing"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

const (
	retransmit = observe.TimerRetransmit
	keepalive  = observe.TimerKeepalive
	timeWait   = observe.TimerTimeWait
	probe      = observe.TimerProbe
)

// causeRow is one socket in one look, and what is to be said of it.
type causeRow struct {
	name  string
	edits []edit
	want  string
}

func runCauses(t *testing.T, build func() *world, rows []causeRow) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			w := build()
			w.add(r.edits...)
			if got := verdictOf(only(t, w.report())); got != r.want {
				t.Errorf("got %q, want %q", got, r.want)
			}
		})
	}
}

// bare is a world without sockets; listening has an idle listener on 8080.
func bare() *world { return newWorld() }

func listening() *world {
	w := newWorld()
	w.listen("0.0.0.0:8080", 0, 128, appPID)
	return w
}

func TestCloseWaitOutbound(t *testing.T) {
	runCauses(t, bare, []causeRow{
		{"Recv-Q 0: the read returned zero and the application kept it; never certain without the sensor", []edit{recvQ(0)}, "eof-ignored stuck likely"},
		{"Recv-Q 1: nobody reads it any more", []edit{recvQ(1)}, "eof-unread stuck certain"},
		{"MSG_PEEK of the zero leaves Recv-Q at 1", []edit{recvQ(1), carried(1, 100)}, "eof-unread stuck certain"},
		{"answered once, then silent for longer than the grace period: eof-ignored", []edit{recvQ(0), quiet(590, 3650, 600)}, "eof-ignored stuck likely"},
		{"an inode but no holder: ownerless", []edit{recvQ(1), noHolder}, "ownerless stuck certain"},
		{"no file and no listener: ownerless, but it may be on its way out of a queue", []edit{recvQ(1), noFile}, "ownerless stuck likely"},
		{"ownerless comes before send-blocked", []edit{noHolder, sendQ(10), timer(probe, 5, 0)}, "ownerless stuck certain"},
		{"Send-Q and a zero-window probe: send-blocked; answered probes renew the lower bound", []edit{sendQ(10), quiet(3700, 3650, 4), timer(probe, 5, 0)}, "send-blocked stuck likely"},
		{"Send-Q and retransmission: send-blocked", []edit{sendQ(10), timer(retransmit, 5, 4)}, "send-blocked stuck certain"},
		{"Send-Q without a timer is not blocked", []edit{sendQ(10), recvQ(1)}, "eof-unread stuck certain"},
		{"a timer without Send-Q is not blocked", []edit{recvQ(1), timer(probe, 5, 0)}, "eof-unread stuck certain"},
		{"send-blocked comes before what is unread", []edit{sendQ(10), recvQ(90000), carried(1e6, 10), timer(retransmit, 5, 4)}, "send-blocked stuck certain"},
		{"MPTCP shows Recv-Q 0 even when unread: likely", []edit{multipath}, "eof-ignored stuck likely"},
		{"MPTCP, and something is shown all the same", []edit{multipath, recvQ(1)}, "eof-ignored stuck likely"},
		{"without tcp_info there is no age, so not stuck", []edit{recvQ(1), noInfo}, "eof-unread fine certain"},
		{"without tcp_info a few unread bytes are inference", []edit{recvQ(20), noInfo}, "data-unread fine likely"},
		{"younger than the grace period: the same cause, not stuck", []edit{recvQ(1), quiet(3700, 3650, 59.999)}, "eof-unread fine certain"},
		{"exactly the grace period: stuck", []edit{recvQ(1), quiet(3700, 3650, 60)}, "eof-unread stuck certain"},
		{"a lower bound beyond the upper one (clock rounding) is no crash", []edit{recvQ(1), quiet(3700, 599, 600)}, "eof-unread stuck certain"},
		{"keepalive: forever young, so the upper bound speaks, and likely", []edit{recvQ(1), quiet(3700, 3650, 3), timer(keepalive, 12, 0)}, "eof-unread stuck likely"},
		{"keepalive, and the upper bound is below the grace period", []edit{recvQ(1), quiet(50, 50, 3), timer(keepalive, 12, 0)}, "eof-unread fine certain"},
		{"keepalive, seen only in the socket's options", []edit{recvQ(1), quiet(3700, 3650, 3), options(observe.Options{KeepAlive: true})}, "eof-unread stuck likely"},
		{"keepalive does not make an old lower bound uncertain", []edit{recvQ(1), quiet(3700, 3650, 60), timer(keepalive, 12, 0)}, "eof-unread stuck certain"},
	})
}

func TestFarewellBytes(t *testing.T) {
	const together = 600.1 // 100 ms before the last ACK, the FIN's
	runCauses(t, bare, []causeRow{
		{"httplib2 over TLS to nginx leaves 32, with last_data_recv equal to last_ack_recv", []edit{recvQ(32), quiet(3700, 600, 600)}, "eof-unread stuck likely"},
		{"over plain HTTP 1, last_data_recv a keepalive_timeout older", []edit{recvQ(1), quiet(665, 665, 600)}, "eof-unread stuck certain"},
		{"a farewell is at most 512 bytes", []edit{recvQ(513), quiet(3700, together, 600)}, "eof-unread stuck likely"},
		{"513 bytes are no farewell; but one look can't tell who reads slowly", []edit{recvQ(514), quiet(3700, together, 600)}, "data-unread stuck likely"},
		{"who has read nothing of it does not read slowly", []edit{recvQ(514), quiet(3700, together, 600), carried(514, 10)}, "data-unread stuck certain"},
		{"an unread 424 kB response within milliseconds of the FIN is no farewell", []edit{recvQ(424001), quiet(3700, 600.005, 600), carried(424001, 100)}, "data-unread stuck certain"},
		{"while the peer was still talking: not with the close", []edit{recvQ(30), quiet(3700, 603, 600)}, "data-unread stuck likely"},
		{"a quarter second is one moment", []edit{recvQ(30), quiet(3700, 600.25, 600)}, "eof-unread stuck likely"},
		{"a little more is not", []edit{recvQ(30), quiet(3700, 600.251, 600)}, "data-unread stuck likely"},
		{"a request is outstanding: an unread reply is data-unread", []edit{recvQ(200), quiet(600.2, together, 600)}, "data-unread stuck likely"},
		{"asked two seconds before: still an answer", []edit{recvQ(200), quiet(602.1, together, 600)}, "data-unread stuck likely"},
		{"asked longer ago: unasked", []edit{recvQ(200), quiet(602.2, together, 600)}, "eof-unread stuck likely"},
		{"it never sent anything (a banner and a goodbye), but read some: a farewell", []edit{recvQ(30), quiet(3700, together, 600), carried(1001, 0)}, "eof-unread stuck likely"},
		{"nothing was ever read, and it came with the FIN: either", []edit{recvQ(30), quiet(3700, together, 600), carried(30, 100)}, "data-unread stuck likely"},
		{"an HTTP 408 on a connection that never asked: a farewell", []edit{recvQ(30), quiet(3700, together, 600), carried(30, 0)}, "eof-unread stuck likely"},
		{"nothing was ever read, and it was asked for: certain", []edit{recvQ(30), quiet(600.2, together, 600), carried(30, 100)}, "data-unread stuck certain"},
		{"keepalive renews last_ack_recv: with the FIN or not can't be told, so likely", []edit{recvQ(32), quiet(3700, 600, 4), timer(keepalive, 11, 0)}, "eof-unread stuck likely"},
		{"keepalive, but a request was outstanding", []edit{recvQ(32), quiet(600.1, 600, 4), timer(keepalive, 11, 0)}, "data-unread stuck likely"},
	})
	runCauses(t, listening, []causeRow{
		{"inbound: the client sent a request and closed at once: never read", []edit{toPort, recvQ(101), quiet(600.2, together, 600), carried(101, 0)}, "data-unread stuck certain"},
		{"inbound: a second request was never read", []edit{toPort, recvQ(101), quiet(3700, together, 600)}, "data-unread stuck likely"},
		{"inbound: 31 bytes can be a close_notify", []edit{toPort, recvQ(32), quiet(3700, together, 600)}, "eof-unread stuck likely"},
		{"inbound: 32 bytes can't", []edit{toPort, recvQ(33), quiet(3700, together, 600)}, "data-unread stuck likely"},
		{"inbound: 24 bytes before the FIN", []edit{toPort, recvQ(25), quiet(3700, 660, 600)}, "data-unread stuck likely"},
	})
}

func TestHalfCloseInUse(t *testing.T) {
	runCauses(t, listening, []causeRow{
		{"C5: sent 5 s ago, the FIN is 10 minutes old", []edit{toPort, quiet(5, 3650, 600)}, "half-close-in-use fine certain"},
		{"C5: the last ACK is that of the data", []edit{toPort, quiet(5, 3650, 5)}, "half-close-in-use fine likely"},
		{"sent a moment after what may be the FIN's ACK: likely", []edit{toPort, quiet(59.8, 3650, 60)}, "half-close-in-use fine likely"},
		{"sent clearly after it: certain", []edit{toPort, quiet(59.7, 3650, 60)}, "half-close-in-use fine certain"},
		{"C5 although the end is unread", []edit{toPort, recvQ(1), quiet(5, 3650, 600)}, "half-close-in-use fine certain"},
		{"C5 although data is unread", []edit{toPort, recvQ(5000), quiet(5, 3650, 600)}, "half-close-in-use fine certain"},
		{"sent a grace period ago: not any more", []edit{toPort, quiet(60, 3650, 600)}, "eof-ignored stuck likely"},
		{"sent just within the grace period", []edit{toPort, quiet(59.9, 3650, 600)}, "half-close-in-use fine certain"},
		{"what was sent before the last data came was sent before the FIN", []edit{toPort, quiet(30, 20, 10)}, "eof-ignored fine likely"},
		{"never sent anything: its last_data_sent is the connection's age", []edit{toPort, quiet(5, 3650, 5), carried(1001, 0)}, "eof-ignored fine likely"},
		{"a slow answer looks like eof-ignored: never certain", []edit{toPort, recvQ(0), quiet(600, 600, 600), carried(1001, 0)}, "eof-ignored stuck likely"},
		{"busy sending: data on its way is no blockade (C5), whatever keepalive does to the age",
			[]edit{toPort, sendQ(9000), timer(retransmit, 0.2, 0), quiet(0, 3650, 0), options(observe.Options{KeepAlive: true})}, "half-close-in-use fine likely"},
		{"sent again once: not merely on its way", []edit{toPort, sendQ(9000), timer(retransmit, 0.2, 1), quiet(0, 3650, 600)}, "send-blocked stuck certain"},
	})
}

// What was sent when the FIN came is no use of the connection where the peer's end is on
// this host and closed: nothing can be sent to it any more.
func TestNobodyTalksToAPeerThatHasClosed(t *testing.T) {
	here := []edit{local("10.0.0.1:8080"), remote("10.0.0.1:40000")}
	peer := func(edits ...edit) func() *world {
		return func() *world {
			w := listening()
			w.add(append([]edit{state(tcp.FinWait2), local("10.0.0.1:40000"), remote("10.0.0.1:8080")}, edits...)...)
			return w
		}
	}
	for _, r := range []struct {
		name  string
		build func() *world
		edits []edit
		want  string
	}{
		{"answered and left by its client in one moment", peer(noFile, noInfo, timer(timeWait, 40, 0)), []edit{quiet(20, 20.1, 20)}, "eof-ignored fine likely"},
		{"the client only shut down its side", peer(carried(0, 1)), []edit{quiet(20, 20.1, 20)}, "half-close-in-use fine likely"},
		{"sent long after the FIN: the client has closed since", peer(noFile, noInfo, timer(timeWait, 40, 0)), []edit{quiet(20, 300, 200)}, "half-close-in-use fine certain"},
		{"keepalive hides how old the FIN is", peer(noFile, noInfo, timer(timeWait, 40, 0)),
			[]edit{quiet(20, 300, 3), timer(keepalive, 12, 0)}, "half-close-in-use fine likely"},
	} {
		t.Run(r.name, func(t *testing.T) {
			w := r.build()
			w.add(append(here, r.edits...)...)
			for _, f := range w.report().Findings {
				if got := verdictOf(&f); f.State == tcp.CloseWait && got != r.want {
					t.Errorf("got %q, want %q", got, r.want)
				}
			}
		})
	}
}

// A slow reader, or a link that loses much, is no peer that has stopped.
func TestWhatStillFlowsIsInUse(t *testing.T) {
	runCauses(t, bare, []causeRow{
		{"the window is closed, and was open within the grace period", []edit{sendQ(9000), timer(probe, 5, 0), rto(0.2, 5), quiet(14, 3650, 3)}, "half-close-in-use fine likely"},
		{"it has not been open for longer", []edit{sendQ(9000), timer(probe, 5, 0), rto(0.2, 5), quiet(61, 3650, 3)}, "send-blocked stuck likely"},
		{"sent again, and data was ACKed within the grace period", []edit{sendQ(9000), timer(retransmit, 0.2, 1), quiet(0, 3650, 5)}, "half-close-in-use fine certain"},
		{"sent again and again, and nothing is ACKed", []edit{sendQ(9000), timer(retransmit, 20, 8), quiet(10, 3650, 70)}, "send-blocked stuck certain"},
		{"a FIN behind data that flows", []edit{state(tcp.FinWait1), sendQ(9000), timer(retransmit, 0.2, 0), quiet(1, 300, 1)}, "half-close-in-use fine likely"},
		{"to a slow reader", []edit{state(tcp.FinWait1), sendQ(9000), timer(probe, 5, 0), rto(0.2, 5), quiet(14, 300, 3)}, "half-close-in-use fine likely"},
		{"the kernel sends for an application that is gone", []edit{state(tcp.FinWait1), noFile, sendQ(9000), timer(retransmit, 0.2, 0), quiet(1, 300, 1)}, "half-close-in-use fine likely"},
	})
}

// Keepalive refreshes the last ACK only where a probe may have gone out.
func TestKeepaliveMakesYoungOnlyWhatItProbed(t *testing.T) {
	set := func(idle, intvl float64) edit {
		return options(observe.Options{KeepAlive: true, KeepIdle: sec(idle), KeepIntvl: sec(intvl)})
	}
	runCauses(t, bare, []causeRow{
		{"closed a second ago, idle for a minute, the first probe in two hours", []edit{recvQ(1), quiet(66, 66, 1.5), timer(keepalive, 7134, 0), set(0, 0)}, "eof-unread fine certain"},
		{"the same where the options can't be seen", []edit{recvQ(1), quiet(66, 66, 1.5), timer(keepalive, 7134, 0)}, "eof-unread fine certain"},
		{"probed each 15 s; the FIN came 5 s after the last answer, 4 s ago", []edit{recvQ(1), quiet(66, 66, 4), timer(keepalive, 6, 0), set(15, 15)}, "eof-unread fine certain"},
		{"the last ACK may be an answer", []edit{recvQ(1), quiet(66, 66, 4), timer(keepalive, 11, 0), set(15, 15)}, "eof-unread stuck likely"},
		{"or the timer was set by it", []edit{recvQ(1), quiet(66, 66, 4), timer(keepalive, 26, 0), set(30, 10)}, "eof-unread stuck likely"},
		{"unanswered probes tell nothing", []edit{recvQ(1), quiet(66, 66, 25), timer(keepalive, 3, 1), set(15, 15)}, "eof-unread stuck likely"},
		{"without the options nothing is excluded", []edit{recvQ(1), quiet(66, 66, 4), timer(keepalive, 6, 0)}, "eof-unread stuck likely"},
	})
}

// two is a second look ten seconds after a first.
type two struct {
	name          string
	edits, change []edit // of both looks, of the second only
	want          string
}

func runTwo(t *testing.T, build func() *world, rows []two) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			first := build()
			first.add(r.edits...)
			second := first.later(10 * time.Second)
			s := &second.Sockets[len(second.Sockets)-1]
			for _, e := range r.change {
				e(s)
			}
			if got := verdictOf(only(t, second.since(first))); got != r.want {
				t.Errorf("got %q, want %q", got, r.want)
			}
		})
	}
}

func TestTwoLooksAtOneSocket(t *testing.T) {
	ackedMore := func(s *observe.Socket) { s.Info.BytesAcked += 1000 }
	sentMore := func(s *observe.Socket) { s.Info.BytesSent += 1000 }
	gotMore := func(s *observe.Socket) { s.Info.BytesReceived += 1000 }
	runTwo(t, listening, []two{
		{"nothing changed", []edit{toPort, recvQ(1)}, nil, "eof-unread stuck certain"},
		{"data was sent between the looks", []edit{toPort}, []edit{sentMore}, "half-close-in-use fine certain"},
		{"data was ACKed between the looks", []edit{toPort}, []edit{ackedMore}, "half-close-in-use fine certain"},
		{"ACKed between the looks, more on its way: in use, not blocked", []edit{toPort, sendQ(500), timer(retransmit, 0.2, 0)}, []edit{ackedMore}, "half-close-in-use fine certain"},
		{"ACKed between the looks through a small window: in use", []edit{toPort, sendQ(500), timer(probe, 0.2, 0)}, []edit{ackedMore}, "half-close-in-use fine certain"},
		{"retransmissions count as sent, and are no use", []edit{toPort, sendQ(500), timer(retransmit, 2, 4)}, []edit{sentMore}, "send-blocked stuck certain"},
		{"none of what is unread was read between the looks", []edit{toPort, recvQ(90001), carried(200001, 10)}, nil, "data-unread stuck certain"},
		{"the same of FIN_WAIT_2", []edit{state(tcp.FinWait2), recvQ(90000), quiet(3650, 600, 600), carried(200000, 10)}, nil, "data-unread stuck certain"},
		{"it reads what was unread: alive", []edit{toPort, recvQ(90001)}, []edit{recvQ(50001)}, "half-close-in-use fine certain"},
		{"it stepped over the FIN only: told, not in use", []edit{toPort, recvQ(1)}, []edit{recvQ(0)}, "eof-ignored stuck likely"},
		{"ownerless in both looks", []edit{noHolder}, nil, "ownerless stuck certain"},
		{"ownerless without a file, in both looks", []edit{noFile}, nil, "ownerless stuck certain"},
		{"masked in both looks: certain", []edit{dead}, nil, "masked stuck certain"},
		{"masked since the first look: it died a moment ago", []edit{toPort, recvQ(1)}, []edit{dead}, "masked fine likely"},
		{"FIN_WAIT_2: data still arrives", []edit{state(tcp.FinWait2), quiet(3650, 3650, 600)}, []edit{gotMore}, "half-close-in-use fine certain"},
		{"FIN_WAIT_2: data arrives and is left unread", []edit{state(tcp.FinWait2), quiet(3650, 3650, 600)}, []edit{gotMore, recvQ(1000)}, "data-unread stuck certain"},
		{"FIN_WAIT_2: data arrives and some of it is read", []edit{state(tcp.FinWait2), quiet(3650, 3650, 600)}, []edit{gotMore, recvQ(400)}, "half-close-in-use fine certain"},
		{"FIN_WAIT_2: it reads what came before: slow, and not stopped", []edit{state(tcp.FinWait2), recvQ(90000), quiet(3650, 600, 600), carried(1e6, 10)}, []edit{recvQ(50000)}, "half-close-in-use fine certain"},
		{"a FIN_WAIT_2 that became CLOSED is no FIN_WAIT_2", []edit{state(tcp.FinWait2), carried(0, 10)}, nil, "peer-keeps-open stuck likely"},
	})
}

func TestNeverAccepted(t *testing.T) {
	corpse := []edit{toPort, recvQ(1), noFile}
	runCauses(t, func() *world {
		w := newWorld()
		w.listen("0.0.0.0:8080", 5, 128, appPID)
		return w
	}, []causeRow{
		{"inode 0 and the accept queue is not empty", corpse, "never-accepted stuck certain"},
		{"with data unread: the listener still is the root", append(corpse, recvQ(4000)), "never-accepted stuck certain"},
		{"younger than the grace period", append(corpse, quiet(30, 30, 30)), "never-accepted fine certain"},
		{"a socket with a file was accepted", []edit{toPort, recvQ(1)}, "eof-unread stuck certain"},
		{"another port's queue does not account for it", append(corpse, local("10.0.0.1:8081")), "ownerless stuck likely"},
		{"nor does an IPv4 listener for an IPv6 connection", append(corpse, local("[2001:db8::1]:8080"), remote("[2001:db8::2]:40000")), "ownerless stuck likely"},
		{"a listener in another namespace does not either", append(corpse, inNS(7)), "ownerless stuck likely"},
	})
	runCauses(t, listening, []causeRow{
		{"an empty queue accounts for nothing", corpse, "ownerless stuck likely"},
	})
	runCauses(t, bare, []causeRow{
		{"closing a listener resets what waits in its queue: without one it is ownerless", corpse, "ownerless stuck likely"},
	})
}

func TestNeverAcceptedBelongsToTheListenerWithAQueue(t *testing.T) {
	type listener struct {
		at    string
		queue uint32
		pid   int32
	}
	for _, r := range []struct {
		name      string
		listeners []listener
		local     string
		pid       int
		want      Confidence
	}{
		{"SO_REUSEPORT: two listeners, one queue", []listener{{"0.0.0.0:8080", 0, 100}, {"0.0.0.0:8080", 3, 200}}, "10.0.0.1:8080", 200, Certain},
		{"the same, the other way round", []listener{{"0.0.0.0:8080", 3, 100}, {"0.0.0.0:8080", 0, 200}}, "10.0.0.1:8080", 100, Certain},
		{"two listeners, both with a queue: the longer one, likely", []listener{{"0.0.0.0:8080", 3, 100}, {"0.0.0.0:8080", 9, 200}}, "10.0.0.1:8080", 200, Likely},
		{"a listener of another address does not count", []listener{{"10.0.0.2:8080", 9, 100}, {"10.0.0.1:8080", 1, 200}}, "10.0.0.1:8080", 200, Certain},
		{"the kernel prefers the listener of the very address", []listener{{"0.0.0.0:8080", 9, 100}, {"10.0.0.1:8080", 1, 200}}, "10.0.0.1:8080", 200, Certain},
		{"unless nothing waits there", []listener{{"0.0.0.0:8080", 9, 100}, {"10.0.0.1:8080", 0, 200}}, "10.0.0.1:8080", 100, Certain},
		{"and one of the family", []listener{{"[::]:8080", 9, 100}, {"0.0.0.0:8080", 1, 200}}, "10.0.0.1:8080", 200, Certain},
		{"IPv6 wildcard takes an IPv4-mapped connection", []listener{{"[::]:8080", 2, 200}}, "[::ffff:10.0.0.1]:8080", 200, Certain},
		{"IPv4 wildcard takes no IPv6 connection", []listener{{"0.0.0.0:8080", 9, 100}, {"[::]:8080", 1, 200}}, "[2001:db8::1]:8080", 200, Certain},
	} {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld()
			w.process(200, "/usr/lib/systemd/systemd")
			for _, l := range r.listeners {
				w.listen(l.at, l.queue, 128, l.pid)
			}
			w.add(toPort, local(r.local), remote("[2001:db8::9]:40000"), recvQ(1), noFile)
			f := only(t, w.report())
			if f.Cause != NeverAccepted || f.Owner == nil || f.Owner.PID != r.pid || f.Confidence != r.want || f.Direction != Inbound {
				t.Errorf("%s, owner %+v; want never-accepted of pid %d, %s", told(w.report()), f.Owner, r.pid, r.want)
			}
		})
	}
}

func TestOwnersThatCouldNotBeSeen(t *testing.T) {
	blind := func(code observe.LimitCode) func() *world {
		return func() *world { w := newWorld(); w.limit(code); return w }
	}
	runCauses(t, blind(observe.LimitOwners), []causeRow{
		{"not seeing the holder proves nothing: judged by what is unread", []edit{noHolder, recvQ(1)}, "eof-unread stuck certain"},
		{"the same for FIN_WAIT_2: no orphan, for it has an inode", []edit{state(tcp.FinWait2), noHolder, carried(0, 10)}, "peer-keeps-open stuck likely"},
		{"no file at all is known without looking at processes", []edit{noFile, recvQ(1)}, "ownerless stuck likely"},
	})
	runCauses(t, blind(observe.LimitSomeOwners), []causeRow{
		{"single processes refuse anybody: most likely ownerless", []edit{noHolder, recvQ(1)}, "ownerless stuck likely"},
	})
}

func TestMasked(t *testing.T) {
	runCauses(t, bare, []causeRow{
		{"C8: the connection is gone, the leak is not; one look can't tell since when", []edit{dead}, "masked stuck likely"},
		{"died less than a grace period ago", []edit{dead, quiet(30, 30, 20)}, "masked fine likely"},
		{"C9: the masked cause comes before what is unread", []edit{dead, recvQ(5000)}, "masked stuck likely"},
	})
	for name, e := range map[string]edit{
		"a fresh socket has segs_in 0":                     func(s *observe.Socket) { s.Info.SegsIn, s.Info.BytesReceived, s.Info.BytesAcked = 0, 0, 0 },
		"one whose connect was refused received a segment": func(s *observe.Socket) { s.Info.SegsIn, s.Info.BytesReceived, s.Info.BytesAcked = 1, 0, 0 },
		"nothing is known of it":                           noInfo,
	} {
		w := newWorld()
		w.add(dead, e)
		if r := w.report(); len(r.Findings) != 0 || r.Totals.Masked != 0 {
			t.Errorf("%s: is not masked, got %s", name, told(r))
		}
	}
}

func TestFinWait2(t *testing.T) {
	fw2 := func(edits ...edit) []edit {
		return append([]edit{state(tcp.FinWait2), carried(0, 10), quiet(3700, 3700, 600)}, edits...)
	}
	runCauses(t, bare, []causeRow{
		{"owned: shutdown sent, the peer does not close", fw2(), "peer-keeps-open stuck likely"},
		{"an orphan, 60 s timer as a mini-socket: the kernel ends it at a known time", fw2(noFile, noInfo, timer(timeWait, 30, 0)), "orphan-draining fine certain"},
		{"an orphan on a keepalive timer (tmo > 60 s)", fw2(noFile, timer(keepalive, 30, 0)), "orphan-draining fine certain"},
		{"a file, but nobody holds it: ownerless", fw2(noHolder), "ownerless stuck certain"},
		{"owned with Recv-Q > 0: data-unread", fw2(recvQ(500), quiet(3700, 600, 600), carried(500, 10)), "data-unread stuck certain"},
		{"of a long answer some was read: slow, or stopped", fw2(recvQ(500), quiet(3700, 600, 600), carried(1e6, 10)), "data-unread stuck likely"},
		{"data came within the grace period: still in use", fw2(quiet(3700, 20, 20), carried(500, 10)), "half-close-in-use fine likely"},
		{"a long download, caught with data in the queue", fw2(recvQ(9000), quiet(3700, 0, 0), carried(1e8, 10)), "half-close-in-use fine likely"},
		{"what just came may not have been read yet", fw2(recvQ(9000), quiet(3700, 59, 0), carried(9000, 10)), "half-close-in-use fine likely"},
		{"shut down less than a grace period ago", fw2(quiet(20, 3700, 20)), "peer-keeps-open fine likely"},
		{"nothing was ever sent: the upper bound is the connection's age", fw2(carried(0, 0)), "peer-keeps-open stuck likely"},
		{"it has answered since", fw2(quiet(3700, 3650, 600), carried(500, 10)), "peer-keeps-open stuck certain"},
	})
}

func TestClosing(t *testing.T) {
	orphaned := []edit{noFile, sendQ(1), timer(retransmit, 10, 5), rto(20, 6), quiet(100, 100, 100)}
	owned := []edit{sendQ(1), timer(retransmit, 60, 9), rto(102, 9), quiet(300, 300, 300)}
	with := func(s tcp.State, base []edit, more ...edit) []edit {
		return append(append([]edit{state(s)}, base...), more...)
	}
	runCauses(t, bare, []causeRow{
		{"FIN_WAIT_1: the peer's host no longer answers; the kernel ends an orphan in 102 s", with(tcp.FinWait1, orphaned), "fin-unacked fine certain"},
		{"LAST_ACK: the same", with(tcp.LastAck, orphaned), "fin-unacked fine certain"},
		{"CLOSING: the same", with(tcp.Closing, orphaned), "fin-unacked fine certain"},
		{"what the kernel ends within two minutes is not stuck, however old", with(tcp.LastAck, orphaned, timer(retransmit, 100, 9), rto(104.448, 9)), "fin-unacked fine certain"},
		{"what it ends later is", with(tcp.LastAck, owned, timer(retransmit, 30, 15), rto(120, 15), options(observe.Options{RetransSince: sec(600)})), "fin-unacked stuck certain"},
		{"CLOSING: the peer's FIN is unread, and ours about to be ACKed", with(tcp.Closing, owned, recvQ(1), timer(observe.TimerNone, 0, 0)), "fin-unacked fine certain"},
		{"a LAST_ACK that still has an owner: tcp_retries2, so it is stuck until then", with(tcp.LastAck, owned), "fin-unacked stuck certain"},
		{"FIN_WAIT_1 owned", with(tcp.FinWait1, owned), "fin-unacked stuck certain"},
		{"an orphaned FIN_WAIT_1 with timer 4 has a living peer that stopped reading: not fin-unacked", with(tcp.FinWait1, orphaned, sendQ(9000), timer(probe, 0.5, 0), rto(0.2, 2)), "send-blocked stuck likely"},
		{"the same in CLOSING", with(tcp.Closing, orphaned, sendQ(9000), timer(probe, 0.5, 0), rto(0.2, 2)), "send-blocked stuck likely"},
		{"the same in LAST_ACK", with(tcp.LastAck, orphaned, sendQ(9000), timer(probe, 0.5, 0), rto(0.2, 2)), "send-blocked stuck likely"},
		{"FIN_WAIT_1 owned with Recv-Q > 0 and no retransmission: data-unread, and about to move", with(tcp.FinWait1, owned, recvQ(100), timer(observe.TimerNone, 0, 0)), "data-unread fine certain"},
		{"FIN_WAIT_1 with Recv-Q > 0, but the FIN is unacknowledged", with(tcp.FinWait1, owned, recvQ(100)), "fin-unacked stuck certain"},
		{"retransmission began less than a grace period ago", with(tcp.LastAck, owned, timer(retransmit, 10, 5), rto(12.8, 6)), "fin-unacked fine certain"},
		{"data is before the FIN: how long it waited says little of the FIN", with(tcp.FinWait1, owned, sendQ(9000)), "fin-unacked stuck likely"},
	})
}

func TestGraceIsAnOption(t *testing.T) {
	w := newWorld()
	w.add(recvQ(1), quiet(3700, 3650, 30))
	for grace, want := range map[time.Duration]bool{0: false, 30 * time.Second: true, 31 * time.Second: false, time.Millisecond: true} {
		if r := Diagnose(nil, &w.Snapshot, Options{Grace: grace}); r.Findings[0].Stuck != want {
			t.Errorf("grace %v: stuck %v, want %v", grace, !want, want)
		}
	}
}
