//go:build linux

package sensor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/testbed"
)

// heard collects events, for as long as the test lasts.
type heard struct {
	mu  sync.Mutex
	all []Event
}

func hear(t testing.TB, s *Sensor, o EventOptions) *heard {
	t.Helper()
	h := &heard{}
	ready := make(chan struct{})
	o.Ready = func() { close(ready) }
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- s.Events(ctx, o, func(e *Event) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.all = append(h.all, *e)
			return nil
		})
	}()
	t.Cleanup(func() {
		stop()
		must(t, <-ended)
		if t.Failed() {
			st, err := s.Status()
			t.Logf("the sensor: %+v, %v", st, err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	return h
}

// find returns the events that match.
func (h *heard) find(match func(*Event) bool) (found []Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.all {
		if match(&h.all[i]) {
			found = append(found, h.all[i])
		}
	}
	return found
}

// one waits for a connection's event of a kind, and wants no second.
func (h *heard) one(t testing.TB, kind Kind, match func(*Event) bool) Event {
	t.Helper()
	var found []Event
	await(t, fmt.Sprintf("an event of kind %d", kind), func() bool {
		found = h.find(func(e *Event) bool { return e.Kind == kind && match(e) })
		return len(found) > 0
	})
	if len(found) > 1 {
		t.Errorf("%d events of kind %d: %+v", len(found), kind, found)
	}
	return found[0]
}

func of(cookie uint64) func(*Event) bool {
	return func(e *Event) bool { return e.Cookie == cookie }
}

// deafen lets nothing through to a socket: its host seems gone.
func deafen(t testing.TB, f *os.File) {
	t.Helper()
	nothing := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}
	must(t, unix.SetsockoptSockFprog(fd(f), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: 1, Filter: &nothing[0]}))
}

func option(t testing.TB, f *os.File, level, name, value int) {
	t.Helper()
	must(t, unix.SetsockoptInt(fd(f), level, name, value))
}

// endings are the ways in which a half-closed connection that we hold can end.
var endings = []struct {
	name string
	// The peer only shut down; else it closed.
	shutdown bool
	end      func(t *testing.T, ours, peer *os.File)
	want     End
	held     bool // our descriptor remains
	self     bool // we did it
}{
	{name: "closed", end: func(t *testing.T, ours, _ *os.File) { must(t, ours.Close()) }, want: EndClosed, self: true},
	{name: "shut down", end: func(t *testing.T, ours, _ *os.File) { must(t, unix.Shutdown(fd(ours), unix.SHUT_WR)) },
		want: EndClosed, held: true, self: true},
	{name: "closed with linger 0", end: func(t *testing.T, ours, _ *os.File) {
		must(t, unix.SetsockoptLinger(fd(ours), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
		must(t, ours.Close())
	}, want: EndClosed, self: true},
	{name: "RST on data (C8)", end: func(t *testing.T, ours, _ *os.File) { send(t, ours, 1) }, want: EndReset, held: true},
	{name: "keepalive unanswered", shutdown: true, end: func(t *testing.T, ours, peer *os.File) {
		deafen(t, peer)
		option(t, ours, unix.SOL_TCP, unix.TCP_KEEPIDLE, 1)
		option(t, ours, unix.SOL_TCP, unix.TCP_KEEPINTVL, 1)
		option(t, ours, unix.SOL_TCP, unix.TCP_KEEPCNT, 1)
		option(t, ours, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	}, want: EndKeepAlive, held: true},
	{name: "data unacknowledged (C13)", shutdown: true, end: func(t *testing.T, ours, peer *os.File) {
		deafen(t, peer)
		option(t, ours, unix.SOL_TCP, unix.TCP_USER_TIMEOUT, 500)
		send(t, ours, 10)
	}, want: EndRetransmitted, held: true},
	{name: "destroyed", shutdown: true, end: func(t *testing.T, ours, _ *os.File) { destroySocket(t, ours) },
		want: EndDestroyed, held: true},
	{name: "disconnected", shutdown: true, end: func(t *testing.T, ours, _ *os.File) {
		_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd(ours)), unspecific(), 16)
		if errno != 0 {
			t.Fatal(errno)
		}
	}, want: EndClosed, held: true},
}

// destroySocket has ss destroy it (SOCK_DESTROY).
func destroySocket(t *testing.T, f *os.File) {
	ss := privilege.Program(t, "ss", "a connection that is destroyed")
	at, err := unix.Getsockname(fd(f))
	must(t, err)
	port := at.(*unix.SockaddrInet4).Port
	out, err := exec.Command(ss, "-K", "-tn", "state", "close-wait", "sport", "=", fmt.Sprintf(":%d", port)).CombinedOutput()
	if err != nil {
		t.Fatalf("ss -K: %v: %s", err, out)
	}
	if state(t, f) != stateClose {
		privilege.Unsupported(t, "a connection that is destroyed", unix.EOPNOTSUPP)
	}
}

func TestEveryWayToEndIsToldApart(t *testing.T) {
	s := start(t)
	h := hear(t, s, EventOptions{})
	for _, row := range endings {
		t.Run(row.name, func(t *testing.T) {
			ours, peer := pair(t)
			finish(t, ours, peer, row.shutdown)
			id := cookie(t, ours)
			row.end(t, ours, peer)
			e := h.one(t, KindEnded, of(id))
			if e.End != row.want || e.Held != row.held || (e.PID == int32(os.Getpid())) != row.self {
				t.Errorf("%+v", e)
			}
			if e.ResetReceived != (row.want == EndReset) || e.HalfFor() <= 0 || e.HalfFor() > time.Minute || !e.FINReceived {
				t.Errorf("%+v", e)
			}
			if !row.held {
				return
			}
			if r := history(t, s, ours); r.End != row.want || !r.Held || r.Ended == 0 {
				t.Errorf("the descriptor's history: %+v", r)
			}
			must(t, ours.Close())
			if row.want == EndClosed {
				return // shut down: it was done with
			}
			if e := h.one(t, KindReleased, of(id)); e.PID != int32(os.Getpid()) || e.Ended == 0 || e.Ended >= e.Time {
				t.Errorf("released: %+v", e)
			}
			if _, ok := lookup(t, s, id); ok {
				t.Error("its history outlived it")
			}
		})
	}
}

func TestUnreadDataAtCloseIsAnEndByTheApplication(t *testing.T) {
	s := start(t)
	h := hear(t, s, EventOptions{})
	ours, peer := pair(t)
	send(t, peer, 10)
	finish(t, ours, peer, false)
	id := cookie(t, ours)
	must(t, ours.Close())
	if e := h.one(t, KindEnded, of(id)); e.End != EndClosed || e.Held || !e.FINReceived || e.Unread != 10 {
		t.Errorf("%+v", e)
	}
}

func TestAProcessThatDiesIsNoClose(t *testing.T) {
	s := start(t)
	h := hear(t, s, EventOptions{})
	l, at := listen(t, 0)
	for _, kill := range []bool{false, true} {
		child := testbed.Start(t, "connect", strconv.Itoa(at.Port)).Ready()
		peer := accept(t, l)
		from, err := unix.Getpeername(fd(peer))
		must(t, err)
		port := uint16(from.(*unix.SockaddrInet4).Port)
		theirs := func(e *Event) bool { return e.Local.Port() == port && e.Remote.Port() == uint16(at.Port) }
		must(t, peer.Close())
		fin := h.one(t, KindHalfClosed, theirs)
		if fin.OpenerPID != int32(child.PID()) || !fin.Outbound || fin.PID != 0 {
			t.Errorf("FIN: %+v", fin)
		}
		if kill {
			child.Kill()
		} else {
			child.Leave()
		}
		e := h.one(t, KindEnded, theirs)
		if e.End != EndExited || e.Held || e.PID != int32(child.PID()) || e.Comm == "" {
			t.Errorf("killed %v: %+v", kill, e)
		}
	}
}

func TestAListenerThatClosesEndsWhatItNeverAccepted(t *testing.T) {
	s := start(t)
	h := hear(t, s, EventOptions{})
	l, at := listen(t, 0)
	client := connect(t, at, 0)
	must(t, unix.Shutdown(fd(client), unix.SHUT_WR))
	waiting := func(e *Event) bool { return e.Local.Port() == uint16(at.Port) && e.FINReceived }
	e := h.one(t, KindHalfClosed, waiting)
	if !e.Inbound || e.Outbound || e.Older || e.Opened == 0 || e.State != stateCloseWait {
		t.Errorf("%+v", e)
	}
	if _, ok := lookup(t, s, e.Cookie); !ok {
		t.Error("a connection that was never accepted has no history")
	}
	must(t, l.Close())
	if e := h.one(t, KindEnded, waiting); e.End != EndListener || e.Held || e.PID != int32(os.Getpid()) {
		t.Errorf("%+v", e)
	}
}

func TestAConnectionThatWasNeverAcceptedCanEndByItself(t *testing.T) {
	s := start(t)
	h := hear(t, s, EventOptions{})
	l, at := listen(t, 0)
	// Accepted sockets inherit these, before they are accepted.
	option(t, l, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	option(t, l, unix.SOL_TCP, unix.TCP_KEEPIDLE, 1)
	option(t, l, unix.SOL_TCP, unix.TCP_KEEPINTVL, 1)
	option(t, l, unix.SOL_TCP, unix.TCP_KEEPCNT, 1)
	deaf, cut := connect(t, at, 0), connect(t, at, 0)
	must(t, unix.Shutdown(fd(deaf), unix.SHUT_WR))
	must(t, unix.Shutdown(fd(cut), unix.SHUT_WR))
	for f, want := range map[*os.File]End{deaf: EndKeepAlive, cut: EndReset} {
		from, err := unix.Getsockname(fd(f))
		must(t, err)
		waiting := func(e *Event) bool {
			return e.Local.Port() == uint16(at.Port) && e.Remote.Port() == uint16(from.(*unix.SockaddrInet4).Port)
		}
		h.one(t, KindHalfClosed, waiting)
		if f == deaf {
			deafen(t, f)
		} else {
			must(t, unix.SetsockoptLinger(fd(f), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
			must(t, f.Close())
		}
		if e := h.one(t, KindEnded, waiting); e.End != want || e.Held || e.PID != 0 {
			t.Errorf("%+v", e)
		}
	}
}

func TestOurOwnHalfClose(t *testing.T) {
	s := start(t)
	h := hear(t, s, EventOptions{})
	for _, row := range []struct {
		name string
		end  func(ours, peer *os.File)
		want End
		held bool
	}{
		{"the peer closes too", func(_, peer *os.File) { peer.Close() }, EndPeer, true},
		{"we close", func(ours, _ *os.File) { ours.Close() }, EndClosed, false},
		{"the peer answers with a RST", func(_, peer *os.File) {
			_ = unix.SetsockoptLinger(fd(peer), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			peer.Close()
		}, EndReset, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			ours, peer := pair(t)
			id := cookie(t, ours)
			must(t, unix.Shutdown(fd(ours), unix.SHUT_WR))
			await(t, "FIN_WAIT_2", func() bool { return state(t, ours) == stateFinWait2 })
			if e := h.one(t, KindHalfClosed, of(id)); !e.FINSent || e.FINReceived || e.PID != int32(os.Getpid()) {
				t.Errorf("%+v", e)
			}
			row.end(ours, peer)
			if e := h.one(t, KindEnded, of(id)); e.End != row.want || e.Held != row.held || e.HalfFor() <= 0 {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestAnOrdinaryConnectionIsNoEvent(t *testing.T) {
	s := start(t)
	h := hear(t, s, EventOptions{Kinds: []Kind{KindEnded, KindReleased}})
	ours, peer := pair(t)
	send(t, peer, 1)
	recvfrom(ours, 1, 0)
	ids := []uint64{cookie(t, ours), cookie(t, peer)}
	must(t, ours.Close())
	must(t, peer.Close()) // in CLOSE_WAIT: that is an end
	h.one(t, KindEnded, of(ids[1]))
	if got := h.find(of(ids[0])); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

func TestEndsOfShortHalfClosesCanBeLeftOut(t *testing.T) {
	s := start(t)
	const least = 300 * time.Millisecond
	h := hear(t, s, EventOptions{Kinds: []Kind{KindEnded}, HalfFor: least})
	short, shortPeer := pair(t)
	long, longPeer := pair(t)
	finish(t, long, longPeer, false)
	begun := time.Now()
	await(t, "the time to pass", func() bool { return time.Since(begun) > least })
	finish(t, short, shortPeer, false)
	ids := []uint64{cookie(t, short), cookie(t, long)}
	must(t, short.Close())
	must(t, long.Close())
	h.one(t, KindEnded, of(ids[1]))
	if got := h.find(of(ids[0])); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}
