package main

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/remedy"
	"github.com/closewait/closewait/internal/testbed"
	"github.com/closewait/closewait/tcp"
)

// A namespace that nothing keeps but a socket is reached through the socket.
func TestFixReachesANamespaceThatOnlyASocketKeeps(t *testing.T) {
	privilege.Need(t, "a network namespace of its own")
	var fds [2]int
	testbed.Unshare(t, func() (err error) {
		fds, err = tcpPair()
		return err
	})
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	must(t, unix.Shutdown(fds[1], unix.SHUT_WR))
	must(t, wait(t.Context(), 1200*time.Millisecond))
	prev, cur := twoLooks(t)
	ours, err := unix.Getsockname(fds[0])
	must(t, err)
	theirs, err := unix.Getpeername(fds[0])
	must(t, err)
	plan := planOf(prev, cur, tcp.Flow{Local: testbed.AddrPort(ours), Remote: testbed.AddrPort(theirs)}, remedy.Options{Degree: remedy.Destroy})
	if plan.Acts() != 1 {
		t.Fatalf("%d acts are planned: %s", plan.Acts(), whys(plan))
	}
	if done := carryOut(t, plan, time.Second); done.Counts[remedy.DidEnd] != 1 {
		t.Errorf("outcomes %v: %s", done.Counts, done.Results[0].Why)
	}
}

// tcpPair connects two sockets.
func tcpPair() (fds [2]int, err error) {
	tcp4 := func() int {
		fd, failed := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		err = errors.Join(err, failed)
		return fd
	}
	l, c := tcp4(), tcp4()
	defer unix.Close(l)
	err = errors.Join(err, unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(l, 1))
	if err != nil {
		return fds, err
	}
	at, err := unix.Getsockname(l)
	if err == nil {
		err = unix.Connect(c, at)
	}
	if err != nil {
		return fds, err
	}
	s, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC)
	return [2]int{c, s}, err
}
