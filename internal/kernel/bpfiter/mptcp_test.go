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

func TestMPTCPWindow(t *testing.T) {
	needMPTCP(t)
	r := open(t, Options{Window: time.Hour})
	p := connect(t, newNamespace(t), families[0], unix.IPPROTO_MPTCP)
	p.send(p.client, 1)
	if rec := ours(t, r, p.client); rec.State != tcp.Established || rec.Protocol != ProtocolMPTCP {
		t.Errorf("record is %+v", rec)
	}
}
