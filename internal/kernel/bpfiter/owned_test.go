//go:build linux

package bpfiter

import (
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/testbed"
	"github.com/closewait/closewait/tcp"
)

// Each state, and how an end of a connection comes into it.
var states = []struct {
	state tcp.State
	make  func(p *pair) (fd int)
	want  Record // the fields compared below
}{
	{tcp.CloseWait, func(p *pair) int {
		p.finish(p.peer)
		return p.client
	}, Record{RecvQ: 1, Shutdown: 1}},
	{tcp.CloseWait, func(p *pair) int {
		p.send(p.peer, 100)
		p.finish(p.peer)
		return p.client
	}, Record{RecvQ: 101, Shutdown: 1}},
	{tcp.CloseWait, func(p *pair) int {
		p.finish(p.peer)
		awaitState(p.t, p.client, 8)
		p.deafen(p.peer)
		p.send(p.client, 30)
		return p.client
	}, Record{RecvQ: 1, SendQ: 30, Shutdown: 1, Timer: 1}},
	{tcp.FinWait2, func(p *pair) int {
		p.finish(p.client)
		return p.client
	}, Record{Shutdown: 2}},
	{tcp.FinWait1, func(p *pair) int {
		p.deafen(p.peer)
		p.finish(p.client)
		return p.client
	}, Record{SendQ: 1, Shutdown: 2, Timer: 1}},
	{tcp.Closing, func(p *pair) int {
		p.deafen(p.peer)
		p.finish(p.client)
		p.finish(p.peer)
		return p.client
	}, Record{RecvQ: 1, SendQ: 1, Shutdown: 3, Timer: 1}},
	{tcp.LastAck, func(p *pair) int {
		p.finish(p.peer)
		awaitState(p.t, p.client, 8)
		p.deafen(p.peer)
		p.finish(p.client)
		return p.client
	}, Record{RecvQ: 1, SendQ: 1, Shutdown: 3, Timer: 1}},
	{tcp.Established, func(p *pair) int { return p.client }, Record{}},
	{tcp.Listen, func(p *pair) int { return p.listener }, Record{SendQ: 16}},
}

func TestEveryStateIsToldAsTheSocketTellsIt(t *testing.T) {
	r := open(t, Options{Window: time.Minute})
	ns := newNamespace(t)
	for _, f := range families {
		for _, row := range states {
			t.Run(f.name+" "+row.state.String(), func(t *testing.T) {
				fd := row.make(connect(t, ns, f, unix.IPPROTO_TCP))
				awaitState(t, fd, uint8(row.state))
				rec := ours(t, r, fd)
				checkIdentity(t, &rec, ns, fd)
				if rec.State != row.state || rec.Protocol != ProtocolTCP || rec.Subflow || rec.Err != 0 {
					t.Errorf("record is %+v", rec)
				}
				got := Record{RecvQ: rec.RecvQ, SendQ: rec.SendQ, Shutdown: rec.Shutdown, Timer: rec.Timer}
				if got != row.want {
					t.Errorf("Recv-Q %d, Send-Q %d, shutdown %d, timer %d; want %d, %d, %d, %d", got.RecvQ, got.SendQ, got.Shutdown,
						got.Timer, row.want.RecvQ, row.want.SendQ, row.want.Shutdown, row.want.Timer)
				}
				if row.state != tcp.Listen {
					checkInfo(t, &rec, fd)
				}
			})
		}
	}
}

// checkIdentity compares what names a socket with what its descriptor says.
func checkIdentity(t *testing.T, rec *Record, ns *namespace, fd int) {
	t.Helper()
	if want := inodeOf(t, fd); rec.Inode != want {
		t.Errorf("inode is %d, fstat says %d", rec.Inode, want)
	}
	if want := cookieOf(t, fd); rec.Cookie != want {
		t.Errorf("cookie is %d, SO_COOKIE is %d", rec.Cookie, want)
	}
	if want := ns.id(t); rec.NetNS != want {
		t.Errorf("namespace is %d, want %d", rec.NetNS, want)
	}
	if rec.Kind != KindSocket || int(rec.PID) != os.Getpid() || int(rec.FD) != fd {
		t.Errorf("record is kind %d, descriptor %d of %d", rec.Kind, rec.FD, rec.PID)
	}
	local, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	if want := testbed.AddrPort(local); rec.Local != want {
		t.Errorf("local address is %v, getsockname says %v", rec.Local, want)
	}
	want := netip.AddrPort{}
	if remote, err := unix.Getpeername(fd); err == nil {
		want = testbed.AddrPort(remote)
	}
	if rec.Remote != want {
		t.Errorf("remote address is %v, getpeername says %v", rec.Remote, want)
	}
}

// checkInfo compares a record with TCP_INFO. Times go on between the two.
func checkInfo(t *testing.T, rec *Record, fd int) {
	t.Helper()
	i := info(t, fd)
	if !rec.HasTCP || rec.BytesReceived != i.Bytes_received || rec.BytesSent != i.Bytes_sent || rec.BytesAcked != i.Bytes_acked {
		t.Errorf("received, sent, acked: %d %d %d, TCP_INFO says %d %d %d",
			rec.BytesReceived, rec.BytesSent, rec.BytesAcked, i.Bytes_received, i.Bytes_sent, i.Bytes_acked)
	}
	if rec.SegsIn != i.Segs_in || rec.DataSegsIn != i.Data_segs_in {
		t.Errorf("segments in: %d, with data %d; TCP_INFO says %d, %d", rec.SegsIn, rec.DataSegsIn, i.Segs_in, i.Data_segs_in)
	}
	if rec.Timer == 0 && (rec.DataSegsOut != i.Data_segs_out || rec.RTO != i.Rto/1000 || rec.Backoff != i.Backoff) {
		t.Errorf("data segments out %d, RTO %d, back-off %d; TCP_INFO says %d, %d, %d",
			rec.DataSegsOut, rec.RTO, rec.Backoff, i.Data_segs_out, i.Rto/1000, i.Backoff)
	}
	for what, pair := range map[string][2]uint32{
		"last_data_sent": {rec.LastDataSent, i.Last_data_sent},
		"last_data_recv": {rec.LastDataRecv, i.Last_data_recv},
		"last_ack_recv":  {rec.LastAckRecv, i.Last_ack_recv},
	} {
		// A retransmission may be sent in between, and starts the time anew.
		if later := pair[1] - pair[0]; rec.Timer == 0 && later > 5000 {
			t.Errorf("%s is %d ms, TCP_INFO then says %d", what, pair[0], pair[1])
		}
	}
	var unread int
	unread, err := unix.IoctlGetInt(fd, unix.SIOCINQ)
	if err != nil {
		t.Fatal(err)
	}
	if rec.RecvQ > 0 && rec.Shutdown&1 != 0 {
		unread++ // FIONREAD leaves out the FIN (tcp_inq())
	}
	if int(rec.RecvQ) != unread {
		t.Errorf("Recv-Q is %d, want %d", rec.RecvQ, unread)
	}
	unacked, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		t.Fatal(err)
	}
	if int(rec.SendQ) != unacked {
		t.Errorf("Send-Q is %d, SIOCOUTQ says %d", rec.SendQ, unacked)
	}
}

func TestListenerTellsItsQueue(t *testing.T) {
	r := open(t, Options{})
	ns := newNamespace(t)
	for _, protocol := range []int{unix.IPPROTO_TCP, unix.IPPROTO_MPTCP} {
		var listener, client int
		ns.do(t, func() (err error) {
			if listener, err = listen(families[0], protocol); err != nil {
				return err
			}
			if client, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
				return err
			}
			to, err := unix.Getsockname(listener)
			if err != nil {
				return err
			}
			return unix.Connect(client, to)
		})
		t.Cleanup(func() { _, _ = unix.Close(listener), unix.Close(client) })
		rec := ours(t, r, listener)
		checkIdentity(t, &rec, ns, listener)
		if rec.State != tcp.Listen || int(rec.Protocol) != protocol || rec.RecvQ != 1 || rec.SendQ != 16 {
			t.Errorf("record of a listener with one connection waiting is %+v", rec)
		}
	}
}

func TestWindowKeepsQuietConnectionsOut(t *testing.T) {
	r := open(t, Options{Window: time.Minute})
	p := connect(t, newNamespace(t), families[0], unix.IPPROTO_TCP)
	if _, ok := owned(t, r, os.Getpid())[p.peer]; !ok {
		t.Error("the accepting end of a fresh connection is not read")
	}
	await(t, "the connection to be 20 ms old", func() bool { return info(t, p.client).Last_data_recv >= 20 })
	for window, want := range map[time.Duration]bool{0: false, 8 * time.Millisecond: false, time.Hour: true} {
		r := open(t, Options{Window: window})
		if _, got := owned(t, r, os.Getpid())[p.client]; got != want {
			t.Errorf("a quiet connection is read with a window of %v: %v", window, got)
		}
	}
}

func TestForkedHoldersAreAllNamed(t *testing.T) {
	r := open(t, Options{})
	p := connect(t, newNamespace(t), families[0], unix.IPPROTO_TCP)
	p.finish(p.peer)
	awaitState(t, p.client, uint8(tcp.CloseWait))
	dup, err := unix.FcntlInt(uintptr(p.client), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(dup), "dup")
	defer file.Close()
	theirs := owned(t, r, heir(t, "hold", file).PID())[3]
	mine := owned(t, r, os.Getpid())
	for _, rec := range []Record{theirs, mine[p.client], mine[dup]} {
		if rec.Cookie != cookieOf(t, p.client) || rec.State != tcp.CloseWait {
			t.Errorf("a holder's record is %+v", rec)
		}
	}
}

// heir is a process that has file as its descriptor 3.
func heir(t *testing.T, part string, file *os.File) *testbed.Child {
	t.Helper()
	cmd := testbed.Command(part)
	cmd.ExtraFiles = []*os.File{file}
	return testbed.Run(t, cmd).Ready()
}

// A leader that exits leaves its threads the descriptors, and a table that the
// kernel no longer recognises as shared.
func TestThreadsOfADeadLeaderShowADescriptorOnce(t *testing.T) {
	r := open(t, Options{})
	p := connect(t, newNamespace(t), families[0], unix.IPPROTO_TCP)
	p.finish(p.peer)
	awaitState(t, p.client, uint8(tcp.CloseWait))
	file := os.NewFile(uintptr(p.client), "client")
	p.client = -1
	defer file.Close()
	rec := owned(t, r, heir(t, "orphan-threads", file).PID())[3] // fails if it comes twice
	if rec.State != tcp.CloseWait || rec.PID == rec.TID {
		t.Errorf("record of a thread whose leader is gone is %+v", rec)
	}
}

func TestOwnerOfTheSocketIsItsUID(t *testing.T) {
	r := open(t, Options{})
	p := connect(t, newNamespace(t), families[0], unix.IPPROTO_TCP)
	p.must(unix.Fchown(p.listener, 1234, -1)) // as a process of that user would have made it
	if rec := ours(t, r, p.listener); rec.UID != 1234 {
		t.Errorf("uid is %d", rec.UID)
	}
}

func TestNamespaceDescriptors(t *testing.T) {
	r := open(t, Options{})
	ns := newNamespace(t)
	uts, err := os.Open("/proc/self/ns/uts")
	if err != nil {
		t.Fatal(err)
	}
	defer uts.Close()
	found := owned(t, r, os.Getpid())
	if rec := found[int(ns.file.Fd())]; rec.Kind != KindNetNS || rec.NetNS != ns.id(t) {
		t.Errorf("record of a network namespace is %+v", rec)
	}
	if rec, ok := found[int(uts.Fd())]; ok {
		t.Errorf("a UTS namespace has the record %+v", rec)
	}
}

// The settings that sock_diag does not show.
func TestOptionsOfTheSocket(t *testing.T) {
	r := open(t, Options{})
	p := connect(t, newNamespace(t), families[0], unix.IPPROTO_TCP)
	p.finish(p.peer)
	awaitState(t, p.client, uint8(tcp.CloseWait))
	plain := ours(t, r, p.client)
	if plain.KeepAlive || plain.KeepIdle != 0 || plain.KeepIntvl != 0 || plain.KeepProbes != 0 || plain.UserTimeout != 0 || plain.Linger2 != 0 || plain.RTOMin != 200 {
		t.Errorf("an untouched socket has the settings %+v", plain)
	}
	for _, o := range [][3]int{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1}, {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 77},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 11}, {unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 5},
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 12345}, {unix.IPPROTO_TCP, unix.TCP_LINGER2, 30},
	} {
		p.must(unix.SetsockoptInt(p.client, o[0], o[1], o[2]))
	}
	const rtoMaxMS = 44 // TCP_RTO_MAX_MS, since Linux 6.15
	longest := plain.RTOMax
	if unix.SetsockoptInt(p.client, unix.IPPROTO_TCP, rtoMaxMS, 5000) == nil {
		longest = 5000
	}
	rec := ours(t, r, p.client)
	if !rec.KeepAlive || rec.KeepIdle != 77_000 || rec.KeepIntvl != 11_000 || rec.KeepProbes != 5 ||
		rec.UserTimeout != 12345 || rec.Linger2 != 30_000 || rec.RTOMax != longest {
		t.Errorf("settings are %+v", rec)
	}
	if rec.Timer != 2 || rec.Expires == 0 || rec.Expires > 77_000 {
		t.Errorf("timer is %d with %d ms left, want keepalive", rec.Timer, rec.Expires)
	}
	p.must(unix.SetsockoptInt(p.client, unix.IPPROTO_TCP, unix.TCP_LINGER2, -1))
	if rec := ours(t, r, p.client); rec.Linger2 >= 0 {
		t.Errorf("TCP_LINGER2 -1 reads as %d", rec.Linger2)
	}
}

// retransmits_timed_out() counts from the first retransmission.
func TestRetransAgeGrowsFromTheFirstRetransmission(t *testing.T) {
	r := open(t, Options{})
	p := connect(t, newNamespace(t), families[0], unix.IPPROTO_TCP)
	p.finish(p.peer)
	awaitState(t, p.client, uint8(tcp.CloseWait))
	p.deafen(p.peer)
	p.send(p.client, 10)
	if rec := ours(t, r, p.client); rec.RetransAge != 0 && info(t, p.client).Retransmits == 0 {
		t.Errorf("age is %d ms before any retransmission", rec.RetransAge)
	}
	await(t, "two retransmissions", func() bool { return info(t, p.client).Retransmits >= 2 })
	before := time.Now()
	first := ours(t, r, p.client)
	if first.Retries < 2 || first.Timer != 1 || first.Backoff == 0 || first.RetransAge < first.RTOMin {
		t.Errorf("record of a retransmitting socket is %+v", first)
	}
	await(t, "the age to grow", func() bool { return ours(t, r, p.client).RetransAge >= first.RetransAge+20 })
	grown := ours(t, r, p.client)
	if elapsed := uint32(time.Since(before).Milliseconds()); grown.RetransAge > first.RetransAge+elapsed+1 {
		t.Errorf("age grew from %d to %d ms within %d ms", first.RetransAge, grown.RetransAge, elapsed)
	}
}

func TestZeroWindowShowsAsProbeTimer(t *testing.T) {
	r := open(t, Options{})
	p := connect(t, newNamespace(t), families[0], unix.IPPROTO_TCP)
	p.finish(p.peer)
	awaitState(t, p.client, uint8(tcp.CloseWait))
	p.must(unix.SetNonblock(p.client, true))
	for {
		_, err := unix.Write(p.client, make([]byte, 1<<16))
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		p.must(err)
	}
	await(t, "the zero-window probe timer", func() bool {
		rec := ours(t, r, p.client)
		return rec.Timer == 4 && rec.SendQ > 0 && rec.State == tcp.CloseWait
	})
}
