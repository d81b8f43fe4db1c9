//go:build linux

package bpfiter

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/tcp"
)

// needMPTCP ends the test on a kernel without it.
func needMPTCP(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if err != nil {
		privilege.Unsupported(t, "MPTCP sockets", err)
	}
	unix.Close(fd)
}

func TestMPTCPShowsTheConnectionAndNotItsSubflows(t *testing.T) {
	needMPTCP(t)
	r := open(t, Options{})
	ns := newNamespace(t)
	for _, f := range families {
		p := connect(t, ns, f, unix.IPPROTO_MPTCP)
		p.send(p.peer, 100)
		p.finish(p.peer)
		await(t, "CLOSE_WAIT", func() bool { return owned(t, r, unix.Getpid())[p.client].State == tcp.CloseWait })
		rec := ours(t, r, p.client)
		checkIdentity(t, &rec, ns, p.client)
		if rec.Protocol != ProtocolMPTCP || rec.HasTCP || rec.BytesReceived != 100 || rec.Shutdown != 1 {
			t.Errorf("%s: record is %+v", f.name, rec)
		}
		if rec.LastDataRecv > uint32(time.Minute.Milliseconds()) {
			t.Errorf("%s: last data came %d ms ago", f.name, rec.LastDataRecv)
		}
		if peer := ours(t, r, p.peer); peer.State != tcp.FinWait2 || peer.BytesSent != 100 {
			t.Errorf("%s: record of the other end is %+v", f.name, peer)
		}
	}
}

// A reset leaves nothing of the subflow's counts, and what MPTCP itself knows.
func TestDeadMPTCPDescriptor(t *testing.T) {
	needMPTCP(t)
	r := open(t, Options{})
	ns := newNamespace(t)
	for _, f := range families {
		p := connect(t, ns, f, unix.IPPROTO_MPTCP)
		p.send(p.client, 1)
		before := ours(t, open(t, Options{Window: 1 << 40}), p.client)
		await(t, "a byte to come", func() bool {
			n, err := unix.IoctlGetInt(p.peer, unix.TIOCINQ)
			return err == nil && n == 1
		})
		p.close(&p.peer) // with data unread
		await(t, "the reset", func() bool { return owned(t, r, unix.Getpid())[p.client].State == tcp.Closed })
		rec := ours(t, r, p.client)
		if rec.Local != before.Local || rec.Remote != before.Remote || rec.Inode != before.Inode || rec.Cookie != before.Cookie || rec.NetNS != ns.id(t) {
			t.Errorf("%s: the dead descriptor is %+v, alive it was %+v", f.name, rec, before)
		}
		if rec.Protocol != ProtocolMPTCP || rec.HasTCP || !rec.HasTimes || rec.BytesSent != 1 || rec.BytesReceived != 0 || rec.Err == 0 {
			t.Errorf("%s: record is %+v", f.name, rec)
		}
	}
}

func TestMPTCPNeverConnectedIsNotDead(t *testing.T) {
	needMPTCP(t)
	r := open(t, Options{})
	var fresh, refused int
	newNamespace(t).do(t, func() (err error) {
		for _, fd := range []*int{&fresh, &refused} {
			if *fd, err = unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_MPTCP); err != nil {
				return err
			}
		}
		if err := unix.Connect(refused, &unix.SockaddrInet6{Port: 9, Addr: [16]byte{15: 1}}); err != unix.EINPROGRESS {
			return err
		}
		return nil
	})
	for _, fd := range []int{fresh, refused} {
		t.Cleanup(func() { _ = unix.Close(fd) })
	}
	awaitState(t, refused, uint8(tcp.Closed)) // its subflow's
	found := owned(t, r, unix.Getpid())
	for what, fd := range map[string]int{"fresh": fresh, "refused": refused} {
		if rec, ok := found[fd]; ok {
			t.Errorf("%s: a record %+v", what, rec)
		}
	}
}

func TestMPTCPWindow(t *testing.T) {
	needMPTCP(t)
	r := open(t, Options{Window: time.Hour})
	p := connect(t, newNamespace(t), families[0], unix.IPPROTO_MPTCP)
	p.send(p.client, 1)
	if rec := ours(t, r, p.client); rec.State != tcp.Established || rec.Protocol != ProtocolMPTCP {
		t.Errorf("record is %+v", rec)
	}
}
