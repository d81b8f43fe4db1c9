package diagnose

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// wantRelated checks that the findings of the two causes name each other, or not.
func wantRelated(t *testing.T, r *Report, a, b Cause, want bool) {
	t.Helper()
	x, y := by(t, r, a), by(t, r, b)
	if slices.Contains(x.Related, y.ID) != want || slices.Contains(y.Related, x.ID) != want {
		t.Errorf("%s and %s related: %v and %v, want %v", a, b, x.Related, y.Related, want)
	}
}

// hung is a server that accepts no more, with what it had accepted before.
func hung(w *world, listener, worker int32) {
	w.listen("0.0.0.0:8080", 3, 128, listener)
	w.addMany(3, toPort, recvQ(1), noFile)
	w.addMany(5, toPort, recvQ(1), heldBy(worker))
	w.addMany(2, toPort, recvQ(90000), carried(90000, 0), heldBy(worker))
}

func TestOneHangTwoFaces(t *testing.T) {
	w := newWorld()
	hung(w, appPID, appPID)
	r := w.report()
	wantRelated(t, r, NeverAccepted, EOFUnread, true)
	wantRelated(t, r, NeverAccepted, DataUnread, true)
	wantRelated(t, r, EOFUnread, DataUnread, true)
	if r.Findings[0].Cause != NeverAccepted {
		t.Errorf("lead with the listener: %s", told(r))
	}
}

func TestTheListenerLeadsItsEquals(t *testing.T) {
	w := newWorld()
	w.Processes[0].NoFileSoft = 1 << 20
	hung(w, appPID, appPID)
	w.addMany(150, toPort, recvQ(1)) // a warning too, and more of them
	w.addMany(200, recvQ(1))         // another trouble of the same severity stays where it is
	r := w.report()
	if r.Findings[0].Direction != Outbound || r.Findings[1].Cause != NeverAccepted || r.Findings[2].Count != 155 {
		t.Errorf("lead with the listener: %s", told(r))
	}
	w.Processes[0].OpenFiles, w.Processes[0].NoFileSoft = 999, 1000
	if r = w.report(); r.Findings[0].Cause == NeverAccepted {
		t.Errorf("what is critical is not put behind a warning: %s", told(r))
	}
}

func TestMasterHoldsTheListenerWorkersTheConnections(t *testing.T) {
	w := newWorld()
	w.process(200, "/usr/sbin/nginx").Cmdline = []string{"nginx: master process /usr/sbin/nginx"}
	w.process(201, "/usr/sbin/nginx").Cmdline = []string{"nginx: worker process"}
	hung(w, 200, 201)
	w.Sockets[0].Holders = append(w.Sockets[0].Holders, observe.Holder{PID: 201, FD: 3})
	r := w.report()
	wantRelated(t, r, NeverAccepted, EOFUnread, true)
	f := by(t, r, NeverAccepted)
	if f.Owner.PID != 200 || !slices.Equal(f.AlsoHeldBy, []int{201}) {
		t.Errorf("the listener's owner is its oldest holder: %+v, also %v", f.Owner, f.AlsoHeldBy)
	}
}

func TestALeakAndWhatARSTMasksOfIt(t *testing.T) {
	w := newWorld()
	w.addMany(5, recvQ(1))
	w.addMany(5, dead)
	wantRelated(t, w.report(), EOFUnread, Masked, true)

	w = newWorld()
	w.addMany(5, recvQ(1))
	w.addMany(5, dead, func(s *observe.Socket) { s.Remote = netip.AddrPort{} })
	r := w.report()
	wantRelated(t, r, EOFUnread, Masked, true)
	if f := by(t, r, Masked); f.Count != 5 || f.Remote != "*" || f.Local != "*" {
		t.Errorf("dead descriptors whose remote end is not known are one finding: %s", told(r))
	}
}

func TestNotRelated(t *testing.T) {
	for _, r := range []struct {
		name string
		more func(w *world)
		b    Cause
	}{
		{"another service", func(w *world) { w.add(remote("10.0.0.6:443"), recvQ(0)) }, EOFIgnored},
		{"another program", func(w *world) { w.process(200, "/bin/b"); w.add(heldBy(200)) }, EOFIgnored},
		{"another namespace", func(w *world) { w.add(inNS(7)) }, EOFIgnored},
		{"what is in use", func(w *world) { w.add(quiet(5, 3650, 600)) }, HalfCloseInUse},
	} {
		w := newWorld()
		w.addMany(5, recvQ(1))
		r.more(w)
		t.Run(r.name, func(t *testing.T) { wantRelated(t, w.report(), EOFUnread, r.b, false) })
	}
}

func TestYoungTwinIsNoRelation(t *testing.T) {
	w := newWorld()
	w.addMany(5, recvQ(1))
	w.addMany(5, recvQ(1), quiet(9, 9, 9))
	for _, f := range w.report().Findings {
		if len(f.Related) != 0 {
			t.Errorf("%+v", f.Related)
		}
	}
}

func TestBothEndsOnThisHost(t *testing.T) {
	client := func(port string) []edit {
		return []edit{recvQ(1), local("10.0.0.1:" + port), remote("10.0.0.1:5000")}
	}
	server := func(port string) []edit {
		return []edit{state(tcp.FinWait2), carried(0, 10), local("10.0.0.1:5000"), remote("10.0.0.1:" + port), heldBy(200), inNS(7)}
	}
	w := newWorld()
	w.process(200, "/bin/server")
	w.add(client("40000")...)
	w.add(server("40000")...)
	wantRelated(t, w.report(), EOFUnread, PeerKeepsOpen, true)

	w = newWorld()
	w.process(200, "/bin/server")
	w.add(client("40000")...)
	w.add(server("40001")...)
	wantRelated(t, w.report(), EOFUnread, PeerKeepsOpen, false)
}
