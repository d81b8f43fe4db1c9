//go:build linux

package bpfiter

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/testbed"
	"github.com/closewait/closewait/tcp"
)

func TestNeverAcceptedIsUnowned(t *testing.T) {
	r := open(t, Options{})
	ns := newNamespace(t)
	for _, f := range families {
		var listener, client int
		ns.do(t, func() (err error) {
			if listener, err = listen(f, unix.IPPROTO_TCP); err != nil {
				return err
			}
			if client, err = unix.Socket(f.domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
				return err
			}
			to, err := unix.Getsockname(listener)
			if err != nil {
				return err
			}
			if err := unix.Connect(client, to); err != nil {
				return err
			}
			return unix.Shutdown(client, unix.SHUT_WR)
		})
		awaitState(t, client, uint8(tcp.FinWait2))
		local, _ := unix.Getsockname(client)
		rec := only(t, unowned(t, r, ns), tcp.CloseWait)
		if rec.Kind != KindSocket || rec.Inode != 0 || rec.Remote != testbed.AddrPort(local) || rec.RecvQ != 1 || rec.PID != 0 || rec.NetNS != ns.id(t) {
			t.Errorf("%s: record is %+v", f.name, rec)
		}
		held := only(t, unowned(t, r, ns), tcp.FinWait2)
		if held.Kind != KindHeld || held.Inode != inodeOf(t, client) || held.Cookie != cookieOf(t, client) || held.NetNS != ns.id(t) {
			t.Errorf("%s: record of the end that has a file is %+v", f.name, held)
		}
		unix.Close(listener)
		unix.Close(client)
		await(t, "the namespace to be empty", func() bool { return len(unowned(t, r, ns)) == 0 })
	}
}

// only is the one record in a state.
func only(t testing.TB, found map[uint64]Record, state tcp.State) (one Record) {
	t.Helper()
	n := 0
	for _, rec := range found {
		if rec.State == state {
			one, n = rec, n+1
		}
	}
	if n != 1 {
		t.Fatalf("%d records in state %v, want 1: %+v", n, state, found)
	}
	return one
}

func has(found map[uint64]Record, state tcp.State) bool {
	for _, rec := range found {
		if rec.State == state {
			return true
		}
	}
	return false
}

func TestOrphansAreUnowned(t *testing.T) {
	r := open(t, Options{})
	ns := newNamespace(t)
	p := connect(t, ns, families[0], unix.IPPROTO_TCP)
	cookie := cookieOf(t, p.client)
	local, _ := unix.Getsockname(p.client)
	p.deafen(p.peer)
	p.close(&p.client)
	rec := unowned(t, r, ns)[cookie]
	if rec.State != tcp.FinWait1 || rec.Kind != KindSocket || rec.Inode != 0 || rec.Timer != 1 || rec.SendQ != 1 || rec.Local != testbed.AddrPort(local) {
		t.Errorf("record of an orphan is %+v", rec)
	}
}

// A closed end waits for the peer's FIN in a mini-socket, which ends at a known
// time. Those of a Go server, whose listener is MPTCP, look different to the
// kernel's own helper.
func TestMiniSocketsTellTheTimeLeft(t *testing.T) {
	r := open(t, Options{})
	ns := newNamespace(t)
	for _, f := range families {
		p := connect(t, ns, f, unix.IPPROTO_TCP)
		local, _ := unix.Getsockname(p.peer)
		remote, _ := unix.Getpeername(p.peer)
		p.close(&p.peer)
		awaitState(t, p.client, uint8(tcp.CloseWait))
		await(t, "the delayed ACK of its FIN", func() bool { return has(unowned(t, r, ns), tcp.FinWait2) })
		checkMini(t, only(t, unowned(t, r, ns), tcp.FinWait2), local, remote)
		p.close(&p.client) // the mini-socket goes on to TIME_WAIT
		await(t, "TIME_WAIT, which is left out", func() bool { return len(unowned(t, r, ns)) == 0 })
	}
}

func checkMini(t *testing.T, rec Record, local, remote unix.Sockaddr) {
	t.Helper()
	if rec.Kind != KindSocket || rec.Timer != 3 || rec.Expires == 0 || rec.Expires > 60_000 || rec.HasTCP || rec.Inode != 0 || rec.Cookie == 0 {
		t.Errorf("record of a mini-socket is %+v", rec)
	}
	if rec.Local != testbed.AddrPort(local) || rec.Remote != testbed.AddrPort(remote) {
		t.Errorf("it is %v → %v, want %v → %v", rec.Local, rec.Remote, testbed.AddrPort(local), testbed.AddrPort(remote))
	}
}

func TestMiniSocketOfAnMPTCPListener(t *testing.T) {
	r := open(t, Options{})
	ns := newNamespace(t)
	ns.do(t, func() error {
		var lc net.ListenConfig
		lc.SetMultipathTCP(true)
		l, err := lc.Listen(t.Context(), "tcp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		client, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			return err
		}
		t.Cleanup(func() { client.Close() })
		server, err := l.Accept()
		if err != nil {
			return err
		}
		return server.Close()
	})
	await(t, "the mini-socket", func() bool { return has(unowned(t, r, ns), tcp.FinWait2) })
}

// A descriptor in flight is in no process' table.
func TestInFlightDescriptorIsHeldByNobody(t *testing.T) {
	r := open(t, Options{})
	ns := newNamespace(t)
	p := connect(t, ns, families[0], unix.IPPROTO_TCP)
	p.finish(p.peer)
	awaitState(t, p.client, uint8(tcp.CloseWait))
	inode, cookie := inodeOf(t, p.client), cookieOf(t, p.client)
	mail, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(mail[0])
	defer unix.Close(mail[1])
	p.must(unix.Sendmsg(mail[0], []byte{0}, unix.UnixRights(p.client), nil, 0))
	p.close(&p.client)
	err = r.Owned(func(rec *Record) error {
		if rec.Cookie == cookie {
			t.Errorf("a descriptor in flight has the owner %d", rec.PID)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if rec := unowned(t, r, ns)[cookie]; rec.Kind != KindHeld || rec.Inode != inode || rec.State != tcp.CloseWait {
		t.Errorf("record of a descriptor in flight is %+v", rec)
	}
}
