package e2e

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/testbed"
	"github.com/closewait/closewait/tcp"
)

// TestDeadMultipath: a dead descriptor of an MPTCP connection is found, by either
// reader, however the connection ended; one that never had a connection is not.
func TestDeadMultipath(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"127.0.0.1", "::1"} {
		t.Run(ip, func(t *testing.T) {
			t.Parallel()
			in := newSpace(t)
			m := meeting{t: t, in: in, ip: netip.MustParseAddr(ip)}
			dead, others := m.ended(), m.neverConnected()
			for _, reader := range readers() {
				t.Run(reader, func(t *testing.T) {
					var s *observe.Snapshot
					// The last ACK of an orderly end comes a moment after poll tells of the end.
					testbed.Await(t, "the end of all", func() bool {
						s = look(t, reader)
						return !slices.ContainsFunc(s.Sockets, func(o observe.Socket) bool {
							return o.NetNS == in.id && o.State == tcp.LastAck
						})
					})
					checkMultipath(t, s, dead, others)
				})
			}
		})
	}
}

func checkMultipath(t *testing.T, s *observe.Snapshot, dead, others map[string]*socket) {
	t.Helper()
	at := func(x *socket) []observe.Socket {
		return slices.DeleteFunc(slices.Clone(s.Sockets), func(o observe.Socket) bool {
			return !slices.Contains(o.Holders, observe.Holder{PID: int32(os.Getpid()), FD: int32(x.fd)})
		})
	}
	for name, x := range dead {
		found := at(x)
		if len(found) != 1 || !found[0].Dead() || !found[0].MPTCP || found[0].Local != x.local() || found[0].Info == nil {
			t.Errorf("%s: found %+v", name, found)
		}
	}
	for name, x := range others {
		if found := at(x); len(found) != 0 {
			t.Errorf("%s: found %+v", name, found)
		}
	}
}

// meeting makes MPTCP connections within a namespace.
type meeting struct {
	t  *testing.T
	in *space
	ip netip.Addr
}

// meet connects an MPTCP socket to a listener of the protocol given.
func (m *meeting) meet(protocol int) (client, server *socket) {
	m.t.Helper()
	l := m.open(protocol)
	if err := errors.Join(unix.Bind(l.fd, testbed.Sockaddr(netip.AddrPortFrom(m.ip, 0))), unix.Listen(l.fd, 8)); err != nil {
		m.t.Fatal(err)
	}
	client = m.open(unix.IPPROTO_MPTCP)
	if err := testbed.Uninterrupted(func() error { return unix.Connect(client.fd, testbed.Sockaddr(l.local())) }); err != nil {
		m.t.Fatal(err)
	}
	return client, l.accept()
}

func (m *meeting) open(protocol int) *socket {
	m.t.Helper()
	x, err := openAs(m.t, m.in, m.ip.Is4(), protocol)
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		privilege.Unsupported(m.t, "MPTCP sockets", err)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return x
}

// ended are connections' ends that their connections have left.
func (m *meeting) ended() map[string]*socket {
	m.t.Helper()
	reset, resetter := m.meet(unix.IPPROTO_MPTCP)
	reset.send(1)
	resetter.readable()
	resetter.close() // with data unread: MP_FASTCLOSE, as after a close without an answer

	wait, gone := m.meet(unix.IPPROTO_MPTCP)
	wait.send(1)
	gone.readable()
	gone.shutdown()
	wait.readable()
	gone.close()

	accepting, accepted := m.meet(unix.IPPROTO_MPTCP)
	accepted.send(1)
	accepting.readable()
	accepting.close()

	one, other := m.meet(unix.IPPROTO_MPTCP)
	one.shutdown()
	other.readable()
	other.shutdown()

	plain, peer := m.meet(unix.IPPROTO_TCP)
	peer.close()
	plain.readable()
	plain.send(1) // draws a RST

	idle, forgetful := m.meet(unix.IPPROTO_TCP)
	forgetful.forget()

	return map[string]*socket{
		"reset while ESTABLISHED": m.closed(reset), "reset in CLOSE_WAIT": m.closed(wait), "reset, accepted": m.closed(accepted),
		"ended in order": m.closed(one), "ended in order, the other end": m.closed(other),
		"reset as plain TCP": m.closed(plain), "reset as plain TCP without a byte": m.closed(idle),
	}
}

// closed waits until poll tells that nothing comes or goes any more.
func (m *meeting) closed(x *socket) *socket {
	m.t.Helper()
	x.poll(unix.POLLHUP)
	return x
}

// neverConnected are sockets without a connection, now or before.
func (m *meeting) neverConnected() map[string]*socket {
	m.t.Helper()
	fresh, refused, later, bound := m.open(unix.IPPROTO_MPTCP), m.open(unix.IPPROTO_MPTCP), m.open(unix.IPPROTO_MPTCP), m.open(unix.IPPROTO_MPTCP)
	nobody := testbed.Sockaddr(netip.AddrPortFrom(m.ip, 9))
	if err := testbed.Uninterrupted(func() error { return unix.Connect(refused.fd, nobody) }); !errors.Is(err, unix.ECONNREFUSED) {
		m.t.Fatal(err)
	}
	if err := errors.Join(unix.SetNonblock(later.fd, true), unix.Bind(bound.fd, testbed.Sockaddr(netip.AddrPortFrom(m.ip, 0)))); err != nil {
		m.t.Fatal(err)
	}
	if err := unix.Connect(later.fd, nobody); err != unix.EINPROGRESS {
		m.t.Fatal(err)
	}
	return map[string]*socket{"fresh": fresh, "refused": refused, "refused, not yet noticed": m.closed(later), "bound": bound}
}

// readable waits until there is something to read, or the end.
func (x *socket) readable() {
	x.t.Helper()
	x.poll(unix.POLLIN)
}

func (x *socket) poll(events int16) {
	x.t.Helper()
	testbed.Await(x.t, fmt.Sprintf("event %#x", events), func() bool { return x.polls(events) })
}

// polls reports whether one of the events is there, or comes within 100 ms.
func (x *socket) polls(events int16) bool {
	fds := []unix.PollFd{{Fd: int32(x.fd), Events: events}}
	n, err := unix.Poll(fds, 100)
	return err == nil && n == 1 && fds[0].Revents&events != 0
}

// TestMultipathEnds: when an MPTCP connection ends that the peer has closed, and
// that one lasts whose peer has only shut down its side. It takes a minute: no
// setting shortens it.
func TestMultipathEnds(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"127.0.0.1", "::1"} {
		t.Run(ip, func(t *testing.T) {
			t.Parallel()
			in := newSpace(t)
			m := meeting{t: t, in: in, ip: netip.MustParseAddr(ip)}
			reset, resetter := m.meet(unix.IPPROTO_MPTCP)
			kept, keeper := m.meet(unix.IPPROTO_MPTCP)
			resetter.close()
			keeper.shutdown()
			reset.readable()
			kept.readable()
			var predicted []time.Time
			for _, reader := range readers() {
				predicted = append(predicted, predictReset(t, in, look(t, reader), reset.local(), kept.local())...)
			}
			reset.awaitEnd()
			for _, at := range predicted {
				if off := time.Since(at); off < -2*time.Second || off > 10*time.Second { // long timers are coarse
					t.Errorf("predicted for %v, and came %v later", at, off)
				}
			}
			for _, reader := range readers() {
				checkMultipath(t, look(t, reader), map[string]*socket{"reset by the peer's close timer": reset}, nil)
			}
			if kept.polls(unix.POLLHUP) {
				t.Error("the one whose peer has only shut down its side ended too")
			}
		})
	}
}

// predictReset is when one look says that a connection and its peer's end will end.
func predictReset(t *testing.T, in *space, s *observe.Snapshot, reset, kept netip.AddrPort) (at []time.Time) {
	t.Helper()
	found := diagnose.Diagnose(nil, s, diagnose.Options{Grace: time.Millisecond, Sockets: true, Filter: diagnose.Filter{NetNS: []string{strconv.FormatUint(in.id, 10)}}}).Findings
	seen := 0
	for _, f := range found {
		for _, d := range f.Sockets {
			switch o := f.Outlook; {
			case d.Local == reset.String() || d.Remote == reset.String():
				seen++
				if o.Kind != diagnose.At || o.Confidence != diagnose.Certain {
					t.Fatalf("%s: %s ends %s, %s: %s", s.Reader, d.State, o.Kind, o.Confidence, o.Why)
				}
				at = append(at, *o.At)
			case d.Local == kept.String() || d.Remote == kept.String():
				seen++
				if o.Kind != diagnose.Never {
					t.Errorf("%s: %s of a peer that is there ends %s: %s", s.Reader, d.State, o.Kind, o.Why)
				}
			}
		}
	}
	if seen != 4 {
		t.Errorf("%s: %d of 4 sockets are in findings", s.Reader, seen)
	}
	return at
}

// awaitEnd waits until the connection has ended, 90 s at most.
func (x *socket) awaitEnd() {
	x.t.Helper()
	for deadline := time.Now().Add(90 * time.Second); !x.polls(unix.POLLHUP); {
		if time.Now().After(deadline) {
			x.t.Fatal("not ended within 90 s")
		}
	}
}
