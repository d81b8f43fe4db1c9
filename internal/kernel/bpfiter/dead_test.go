//go:build linux

package bpfiter

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/tcp"
)

// C8: local writes to a peer that has closed; the RST ends the connection, and
// the descriptor stays.
func TestDeadDescriptorStillNamesItsPeer(t *testing.T) {
	r := open(t, Options{})
	ns := newNamespace(t)
	for _, f := range families {
		p := connect(t, ns, f, unix.IPPROTO_TCP)
		before := ours(t, open(t, Options{Window: 1 << 40}), p.client)
		p.close(&p.peer)
		awaitState(t, p.client, uint8(tcp.CloseWait))
		p.send(p.client, 1)
		awaitState(t, p.client, uint8(tcp.Closed))
		rec := ours(t, r, p.client)
		if rec.State != tcp.Closed || rec.SegsIn == 0 || rec.BytesReceived != 1 || !rec.HasTCP {
			t.Errorf("%s: record of a dead descriptor is %+v", f.name, rec)
		}
		if rec.Local != before.Local || rec.Remote != before.Remote || rec.Inode != before.Inode || rec.Cookie != before.Cookie || rec.NetNS != ns.id(t) {
			t.Errorf("%s: the dead descriptor is %+v, alive it was %+v", f.name, rec, before)
		}
		if rec.Err != uint16(unix.EPIPE) {
			t.Errorf("%s: pending error is %d, want EPIPE", f.name, rec.Err)
		}
		// Reading must not take the error from the application.
		if left, err := unix.GetsockoptInt(p.client, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || left != int(unix.EPIPE) {
			t.Errorf("%s: SO_ERROR is then %d, %v", f.name, left, err)
		}
	}
}

// A connection reset while ESTABLISHED was connected once, too.
func TestDeadDescriptorWithoutAByteReceived(t *testing.T) {
	r := open(t, Options{})
	p := connect(t, newNamespace(t), families[0], unix.IPPROTO_TCP)
	p.must(unix.SetsockoptLinger(p.client, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
	p.close(&p.client)
	awaitState(t, p.peer, uint8(tcp.Closed))
	if rec := ours(t, r, p.peer); rec.Err != uint16(unix.ECONNRESET) || rec.BytesReceived != 0 || !rec.Remote.IsValid() {
		t.Errorf("record is %+v", rec)
	}
}

// Both sides shut down in order: no RST, no error, but a descriptor that leads
// nowhere.
func TestDeadDescriptorAfterAnOrderlyEnd(t *testing.T) {
	r := open(t, Options{})
	p := connect(t, newNamespace(t), families[0], unix.IPPROTO_TCP)
	p.finish(p.client)
	p.finish(p.peer)
	awaitState(t, p.client, uint8(tcp.Closed))
	if rec := ours(t, r, p.client); rec.Err != 0 || rec.Shutdown != 3 || rec.BytesReceived != 1 {
		t.Errorf("record is %+v", rec)
	}
}

func TestSocketsNeverConnectedAreNotDead(t *testing.T) {
	r := open(t, Options{})
	var fresh, refused, refusedLater int
	newNamespace(t).do(t, func() (err error) {
		for _, fd := range []*int{&fresh, &refused, &refusedLater} {
			if *fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
				return err
			}
		}
		nobody := &unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}}
		if err := unix.Connect(refused, nobody); err != unix.ECONNREFUSED {
			return err
		}
		if err := unix.SetNonblock(refusedLater, true); err != nil {
			return err
		}
		if err := unix.Connect(refusedLater, nobody); err != unix.EINPROGRESS {
			return err
		}
		return nil
	})
	for _, fd := range []int{fresh, refused, refusedLater} {
		t.Cleanup(func() { _ = unix.Close(fd) })
		awaitState(t, fd, uint8(tcp.Closed))
	}
	found := owned(t, r, os.Getpid())
	for what, fd := range map[string]int{"fresh": fresh, "refused": refused, "refused, not yet noticed": refusedLater} {
		if rec, ok := found[fd]; ok {
			t.Errorf("%s: a record %+v", what, rec)
		}
	}
}
