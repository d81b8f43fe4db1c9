//go:build linux

package act

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/sockdiag"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/testbed"
	"github.com/closewait/closewait/tcp"
)

// freed is what is free after an act, measured.
type freed struct {
	// port: another connection can be made between the same addresses; bound: the
	// port can be bound again that the application had bound itself.
	port, bound bool
	// unread and unsent are the kernel's bytes in the two queues.
	unread, unsent uint32
	descriptor     bool // it is open no more
	peer           string
}

func (f freed) String() string {
	return fmt.Sprintf("port free %v, bound port free %v, unread data kept %v, unsent data kept %v, descriptor free %v, peer: %s",
		f.port, f.bound, f.unread > 0, f.unsent > 0, f.descriptor, f.peer)
}

// TestWhatEachDegreeFrees measures the table in docs/fix.md.
func TestWhatEachDegreeFrees(t *testing.T) {
	privilege.Need(t, "what SOCK_DESTROY frees")
	for _, row := range []struct {
		name string
		act  func(t *testing.T, p place, fd int, peer int)
		want freed
	}{
		{"nothing", func(*testing.T, place, int, int) {}, freed{unread: 1, peer: "FIN_WAIT_2"}},
		{"shutdown", func(t *testing.T, p place, fd, _ int) {
			_, _, err := self(t).Shutdown(fd, p.target(t, fd))
			must(t, "shutdown", err)
			await(t, fd, tcp.Closed)
		}, freed{port: true, unread: 1, peer: "reads zero"}},
		{"destroy", func(t *testing.T, p place, fd, _ int) {
			_, _, err := p.namespace(t).Destroy(t.Context(), p.target(t, fd))
			must(t, "destroy", err)
		}, freed{port: true, unread: 1, peer: "connection reset by peer"}},
		{"keepalive, and the peer is gone", func(t *testing.T, p place, fd, peer int) {
			must(t, "TCP_LINGER2", unix.SetsockoptInt(peer, unix.IPPROTO_TCP, unix.TCP_LINGER2, 1))
			end(t, peer)
			time.Sleep(2200 * time.Millisecond) // the orphan's FIN_WAIT_2
			_, _, _, _, err := self(t).KeepAlive(fd, p.target(t, fd), Probes{Idle: time.Second, Interval: time.Second, Count: 3})
			must(t, "keepalive", err)
			await(t, fd, tcp.Closed)
		}, freed{port: true, unread: 1, peer: "gone"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var got freed
			// Another test may be given the port in the moment in which it is free: again.
			for range 5 {
				if got = measure(t, here(), row.act); got.unread > 0 {
					got.unread = 1
				}
				if t.Log(got); got == row.want {
					break
				}
			}
			if got != row.want {
				t.Errorf("freed:\n%v\nwant:\n%v", got, row.want)
			}
		})
	}
}

// What was never accepted and what is closed already have no descriptor: the one
// keeps its place in the queue, and what is unread, until it is accepted; the other
// leaves nothing, not even a port that the application had bound itself.
func TestWhatDestroyFreesWithoutADescriptor(t *testing.T) {
	privilege.Need(t, "what SOCK_DESTROY frees")
	p := here()
	n := p.destroyer(t)
	l := p.listen(t)
	client := p.connect(t, l)
	_, err := unix.Write(client, []byte("hello"))
	must(t, "write", err)
	x := p.waiting(t, client)
	x.Unaccepted = true
	_, _, err = n.Destroy(t.Context(), x)
	must(t, "destroy", err)
	if queued(t, l) != 1 || memory(t, accept(t, l))[unix.SK_MEMINFO_RMEM_ALLOC] == 0 {
		t.Error("never accepted: its place, or what was unread, is gone")
	}

	port := freePort(t, p)
	mine := p.socket(t, 0)
	must(t, "bind", unix.Bind(mine, p.sockaddr(port)))
	must(t, "connect", dial(mine, p.sockaddr(name(t, l).Port())))
	id := sockdiag.ID{Local: name(t, mine), Remote: peerName(t, mine)}
	must(t, "nonblock", unix.SetNonblock(mine, true))
	for err == nil { // until the peer takes no more
		_, err = unix.Write(mine, make([]byte, 64<<10))
	}
	end(t, mine)
	orphan, err := n.conn.Get(t.Context(), id)
	must(t, "look", err)
	if orphan.State != tcp.FinWait1 || orphan.Inode != 0 || unix.Bind(p.socket(t, 0), p.sockaddr(port)) == nil {
		t.Fatalf("not an orphan that keeps its port: %+v", orphan)
	}
	_, after, err := n.Destroy(t.Context(), rowTarget(&orphan))
	must(t, "destroy", err)
	if err := unix.Bind(p.socket(t, 0), p.sockaddr(port)); err != nil || after != (Sight{}) {
		t.Errorf("closed already: the port is not free: %v, left %+v", err, after)
	}
}

// measure acts on two connections with five unread bytes, one from a port of the
// kernel's choice and one from a port that the application has bound.
func measure(t *testing.T, p place, act func(t *testing.T, p place, fd, peer int)) freed {
	t.Helper()
	l := p.listen(t)
	ours, peer := p.unread(t, l, 0)
	mine, other := p.unread(t, l, freePort(t, p))
	from, to, bound := name(t, ours), peerName(t, ours), name(t, mine).Port()
	act(t, p, ours, peer)
	act(t, p, mine, other)
	var st unix.Stat_t
	f := freed{descriptor: unix.Fstat(ours, &st) != nil, unread: memory(t, ours)[unix.SK_MEMINFO_RMEM_ALLOC]}
	f.peer = fate(peer)
	again := p.socket(t, 0)
	must(t, "reuse", unix.SetsockoptInt(again, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
	if unix.Bind(again, p.sockaddr(from.Port())) == nil {
		f.port = dial(again, p.sockaddr(to.Port())) == nil
	}
	f.bound = unix.Bind(p.socket(t, 0), p.sockaddr(bound)) == nil
	return f
}

func (p place) unread(t *testing.T, l int, port uint16) (ours, peer int) {
	t.Helper()
	ours = p.socket(t, 0)
	if port != 0 {
		must(t, "bind", unix.Bind(ours, p.sockaddr(port)))
	}
	must(t, "connect", dial(ours, p.sockaddr(name(t, l).Port())))
	peer = accept(t, l)
	_, err := unix.Write(peer, []byte("hello"))
	must(t, "write", err)
	must(t, "shutdown", unix.Shutdown(peer, unix.SHUT_WR))
	await(t, ours, tcp.CloseWait)
	await(t, peer, tcp.FinWait2)
	return ours, peer
}

// freePort is one that nobody has, and that nobody gets by chance.
func freePort(t *testing.T, p place) uint16 {
	t.Helper()
	for range 100 {
		port := uint16(21000 + rand.IntN(9000)) // below the ephemeral ones
		s := p.socket(t, 0)
		if unix.Bind(s, p.sockaddr(port)) == nil {
			end(t, s)
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// fate is what the peer's application meets.
func fate(peer int) string {
	must := unix.SetsockoptTimeval(peer, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000})
	if must != nil {
		return "gone"
	}
	n, err := read(peer)
	switch {
	case err == unix.EAGAIN:
		return "FIN_WAIT_2"
	case err != nil:
		return err.Error()
	case n == 0:
		return "reads zero"
	}
	return "reads data"
}

// memory is SO_MEMINFO (net/core/sock.c, sk_get_meminfo).
func memory(t *testing.T, fd int) [9]uint32 {
	t.Helper()
	var m [9]uint32
	n := uint32(unsafe.Sizeof(m))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO, uintptr(unsafe.Pointer(&m)), uintptr(unsafe.Pointer(&n)), 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	return m
}

// What waits to be sent is freed by a destroy, and by nothing gentler.
func TestDestroyFreesWhatWaitsToBeSent(t *testing.T) {
	p := here()
	ours, _ := p.stuck(t)
	must(t, "non-blocking", unix.SetNonblock(ours, true))
	for {
		if _, err := unix.Write(ours, make([]byte, 1<<16)); err != nil {
			break
		}
	}
	before := memory(t, ours)[unix.SK_MEMINFO_WMEM_QUEUED]
	x := p.target(t, ours)
	_, after, err := self(t).Shutdown(ours, x)
	must(t, "shutdown", err)
	queued := memory(t, ours)[unix.SK_MEMINFO_WMEM_QUEUED]
	if after.State != tcp.LastAck || before == 0 || queued < before {
		t.Errorf("after a shutdown: %v, %d bytes queued, %d before", after.State, queued, before)
	}
	x = p.target(t, ours)
	_, _, err = p.destroyer(t).Destroy(t.Context(), x)
	must(t, "destroy", err)
	if left := memory(t, ours)[unix.SK_MEMINFO_WMEM_QUEUED]; left != 0 {
		t.Errorf("after a destroy %d of %d bytes are still queued", left, before)
	}
}

// What a shutdown wakes: whoever waits for a hang-up alone, or for an edge, which
// the peer's FIN alone is not; and who is blocked in a write.
func TestShutdownWakesPollersAndWriters(t *testing.T) {
	p := here()
	ours, _ := p.stuck(t)
	// A poll that finds nothing may be interrupted, however short.
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(ours)}}, 0); n > 0 {
		t.Errorf("before: a hang-up is reported: %d, %v", n, err)
	}
	edge, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	must(t, "epoll", err)
	defer unix.Close(edge)
	const edgeTriggered = unix.EPOLLIN | unix.EPOLLRDHUP | 1<<31
	must(t, "watch", unix.EpollCtl(edge, unix.EPOLL_CTL_ADD, ours, &unix.EpollEvent{Events: edgeTriggered, Fd: 1}))
	events := make([]unix.EpollEvent, 4)
	if n, err := unix.EpollWait(edge, events, 0); n != 1 || err != nil { // and the application misses it
		t.Fatalf("%d events, %v", n, err)
	}
	if n, _ := unix.EpollWait(edge, events, 0); n != 0 {
		t.Error("the edge comes twice")
	}
	woken := make(chan error, 2)
	go func() {
		fds := []unix.PollFd{{Fd: int32(ours)}}
		n := 0
		err := testbed.Uninterrupted(func() (err error) {
			n, err = unix.Poll(fds, 10_000)
			return err
		})
		if err == nil && (n != 1 || fds[0].Revents&unix.POLLHUP == 0) {
			err = fmt.Errorf("%d events, %x", n, fds[0].Revents)
		}
		woken <- err
	}()
	full, _ := p.stuck(t)
	go func() {
		for {
			err := testbed.Uninterrupted(func() error {
				_, err := unix.SendmsgN(full, make([]byte, 1<<20), nil, nil, unix.MSG_NOSIGNAL)
				return err
			})
			if err != nil {
				if err == unix.EPIPE {
					err = nil
				}
				woken <- err
				return
			}
		}
	}()
	x := p.target(t, full)
	for deadline := time.Now().Add(30 * time.Second); x.SendQ == 0 || memory(t, full)[unix.SK_MEMINFO_WMEM_QUEUED] < 1<<20; x = p.target(t, full) {
		if time.Now().After(deadline) {
			t.Fatal("the writer never blocks")
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, fd := range []int{ours, full} {
		_, _, err := self(t).Shutdown(fd, p.target(t, fd))
		must(t, "shutdown", err)
	}
	for range 2 {
		must(t, "woken", <-woken)
	}
	n := 0
	err = testbed.Uninterrupted(func() (err error) {
		n, err = unix.EpollWait(edge, events, 5000)
		return err
	})
	if n != 1 || err != nil || events[0].Events&unix.EPOLLHUP == 0 {
		t.Errorf("edge-triggered: %d events %x, %v", n, events[0].Events, err)
	}
}
