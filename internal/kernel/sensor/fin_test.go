//go:build linux

package sensor

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/privilege"
)

// within wants a moment between two others, 5 ms at most outside.
func within(t *testing.T, what string, at, from, to time.Duration) {
	t.Helper()
	const slack = 5 * time.Millisecond
	if at < from-slack || at > to+slack {
		t.Errorf("%s at %v, want %v to %v", what, at, from, to)
	}
}

func TestTimesAreThoseOfTheEvents(t *testing.T) {
	s := start(t)
	l, at := listen(t, 0)
	opening := sinceBoot()
	ours := connect(t, at, 0)
	peer := accept(t, l)
	opened := sinceBoot()
	send(t, peer, 7)
	finishing := sinceBoot()
	must(t, unix.Shutdown(fd(peer), unix.SHUT_WR))
	finished := sinceBoot()
	await(t, "CLOSE_WAIT", func() bool { return state(t, ours) == stateCloseWait })
	h := history(t, s, ours)
	within(t, "opened", h.Opened, opening, opened)
	within(t, "the FIN", h.HalfClosed, finishing, finished)
	if h.Unread != 7 || !h.FINReceived || h.FINSent || !h.Outbound || h.Inbound || h.Older || h.OpenerPID != int32(os.Getpid()) {
		t.Errorf("%+v", h.History)
	}
	other := history(t, s, peer)
	within(t, "the other end's FIN", other.HalfClosed, finishing, finished)
	if !other.FINSent || other.FINReceived || !other.Inbound || other.Outbound || other.Older {
		t.Errorf("the other end: %+v", other.History)
	}
	within(t, "the other end, established", other.Opened, opening, opened)
}

// The FIN may come in the segment that brings the last data, or be joined to it in
// the queue: then no read returns zero until one more is made.
func TestACoalescedFINIsTimedAndIsNoZero(t *testing.T) {
	s := start(t)
	ours, peer := pair(t)
	option(t, peer, unix.SOL_TCP, unix.TCP_CORK, 1) // hold the data until the FIN
	send(t, peer, 5)
	finishing := sinceBoot()
	finish(t, ours, peer, false)
	within(t, "the FIN", history(t, s, ours).HalfClosed, finishing, sinceBoot())
	if n := recvfrom(ours, 64, 0); n != 5 {
		t.Fatalf("read %d", n)
	}
	if h := history(t, s, ours); h.Zeros != 0 || h.Unread != 5 {
		t.Errorf("%+v", h.History)
	}
	if n := recvfrom(ours, 64, 0); n != 0 {
		t.Fatalf("read %d", n)
	}
	if h := history(t, s, ours); h.Zeros != 1 {
		t.Errorf("%+v", h.History)
	}
}

func TestOlderConnectionsAreMarked(t *testing.T) {
	privilege.Need(t, "the sensor on the running kernel")
	idle, idlePeer := pair(t)
	used, usedPeer := pair(t)
	send(t, usedPeer, 1)
	recvfrom(used, 1, 0)
	s := start(t)
	for _, f := range []*os.File{idle, used} {
		if r, ok := lookup(t, s, cookie(t, f)); ok {
			t.Errorf("a connection from before has a history: %+v", r)
		}
	}
	send(t, usedPeer, 1)
	recvfrom(used, 1, 0)
	begun := sinceBoot()
	finish(t, idle, idlePeer, false)
	finish(t, used, usedPeer, false)
	for _, f := range []*os.File{idle, used} {
		recvfrom(f, 1, 0)
		h := history(t, s, f)
		if !h.Older || h.Opened != 0 || h.Outbound || h.Inbound || h.ReaderStack != 0 || h.Zeros != 1 {
			t.Errorf("%+v", h.History)
		}
		within(t, "the FIN", h.HalfClosed, begun, sinceBoot())
	}
}

func TestWhatBeganInAPauseIsOlder(t *testing.T) {
	s := start(t)
	must(t, s.Pause())
	ours, peer := pair(t)
	send(t, peer, 1)
	recvfrom(ours, 1, 0)
	if r, ok := lookup(t, s, cookie(t, ours)); ok {
		t.Errorf("in a pause: %+v", r)
	}
	untouched, untouchedPeer := pair(t)
	must(t, s.Resume())
	for _, p := range [...][2]*os.File{{ours, peer}, {untouched, untouchedPeer}} {
		finish(t, p[0], p[1], false)
		if h := history(t, s, p[0]); !h.Older || h.Opened != 0 || h.HalfClosed == 0 {
			t.Errorf("%+v", h.History)
		}
	}
	after, afterPeer := pair(t)
	finish(t, after, afterPeer, false)
	if h := history(t, s, after); h.Older || !h.Outbound {
		t.Errorf("after it: %+v", h.History)
	}
}

func TestTheEndOfAnOlderHalfClosedConnectionIsHeard(t *testing.T) {
	privilege.Need(t, "the sensor on the running kernel")
	closed, closedPeer := pair(t)
	finish(t, closed, closedPeer, false)
	cut, cutPeer := pair(t)
	finish(t, cut, cutPeer, false)
	s := start(t)
	h := hear(t, s, EventOptions{HalfFor: time.Hour})
	ids := []uint64{cookie(t, closed), cookie(t, cut)}
	must(t, closed.Close())
	send(t, cut, 1)
	for i, want := range []End{EndClosed, EndReset} {
		if e := h.one(t, KindEnded, of(ids[i])); !e.Older || e.End != want || e.Held != (want == EndReset) || e.HalfFor() != 0 {
			t.Errorf("%+v", e)
		}
	}
}

func TestAUsedDescriptorThatConnectsAgainStartsAnew(t *testing.T) {
	s := start(t)
	ours, peer := pair(t)
	finish(t, ours, peer, true)
	recvfrom(ours, 1, 0)
	if _, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd(ours)), unspecific(), 16); errno != 0 {
		t.Fatal(errno)
	}
	l, at := listen(t, 0)
	must(t, unix.Connect(fd(ours), at))
	accept(t, l)
	if h := history(t, s, ours); h.HalfClosed != 0 || h.Zeros != 0 || h.Ended != 0 || h.Held || h.FINReceived || !h.Outbound {
		t.Errorf("%+v", h.History)
	}
}

func TestMPTCPIsTheConnectionAndNotItsSubflows(t *testing.T) {
	privilege.Need(t, "the sensor on the running kernel")
	if f, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP); err != nil {
		privilege.Unsupported(t, "MPTCP sockets", err)
	} else {
		unix.Close(f)
	}
	s := start(t)
	l, at := listen(t, unix.IPPROTO_MPTCP)
	ours := connect(t, at, unix.IPPROTO_MPTCP)
	peer := accept(t, l)
	send(t, peer, 3)
	recvfrom(ours, 3, 0)
	begun := sinceBoot()
	must(t, unix.Shutdown(fd(peer), unix.SHUT_WR))
	await(t, "the FIN", func() bool { return history(t, s, ours).HalfClosed != 0 })
	if n := recvfrom(ours, 1, 0); n != 0 {
		t.Fatalf("read %d", n)
	}
	h := history(t, s, ours)
	within(t, "the FIN", h.HalfClosed, begun, sinceBoot())
	if h.Protocol != ProtocolMPTCP || !h.Outbound || !h.FINReceived || h.Zeros != 1 || h.OpenerPID != int32(os.Getpid()) {
		t.Errorf("%+v", h)
	}
	must(t, s.History(func(r *Record) error {
		if r.Protocol == ProtocolTCP && (r.Local.Port() == uint16(at.Port) || r.Remote.Port() == uint16(at.Port)) {
			t.Errorf("a subflow has a history: %+v", r)
		}
		return nil
	}))
}

func TestWithoutSockRecvLengthOnlySplicesAreSeenToReadZero(t *testing.T) {
	privilege.Need(t, "the sensor on the running kernel")
	s, err := own(func(tracepoint string) (bool, error) { return tracepoint != "sock_recv_length", nil }) // before Linux 6.3
	must(t, err)
	defer s.Close()
	st, err := s.Status()
	must(t, err)
	if len(st.Missing) != 1 || st.Missing[0] != "sock_recv_length" {
		t.Errorf("missing %v", st.Missing)
	}
	ours, peer := pair(t)
	send(t, peer, 1)
	finish(t, ours, peer, false)
	recvfrom(ours, 64, 0)
	recvfrom(ours, 64, 0)
	if h := history(t, s, ours); h.Zeros != 0 || h.HalfClosed == 0 || !h.Read {
		t.Errorf("%+v", h.History)
	}
	if splice(t, ours) != 0 {
		t.Fatal("more data")
	}
	if h := history(t, s, ours); h.Zeros != 1 {
		t.Errorf("%+v", h.History)
	}
}

func TestWithoutTheStatesThereIsNoSensor(t *testing.T) {
	privilege.Need(t, "what is said where the kernel lacks a tracepoint")
	_, err := own(func(string) (bool, error) { return false, nil })
	var lack *UnavailableError
	if !errors.As(err, &lack) || lack.Lack == LackPrivilege {
		t.Errorf("%v", err)
	}
}
