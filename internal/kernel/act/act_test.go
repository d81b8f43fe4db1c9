//go:build linux

package act

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/tcp"
)

// Shutdown sends an orderly FIN: the peer, which had shut its side only, reads
// zero and goes to TIME_WAIT; ours is closed, and its descriptor still open (C6).
func TestShutdownIsAnOrderlyEnd(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		ours, peer := p.stuck(t)
		before, after, err := self(t).Shutdown(ours, p.target(t, ours))
		must(t, "shutdown", err)
		if before.State != tcp.CloseWait || after.State != tcp.LastAck && after.State != tcp.Closed {
			t.Errorf("from %v to %v", before.State, after.State)
		}
		if n, err := read(peer); n != 0 || err != nil {
			t.Errorf("the peer reads %d, %v: want the end of the file", n, err)
		}
		await(t, ours, tcp.Closed)
		await(t, peer, tcp.Closed) // what remains is a TIME_WAIT mini-socket
		if n, err := read(ours); n != 0 || err != nil {
			t.Errorf("the application reads %d, %v: want the end of the file", n, err)
		}
		if _, err := unix.SendmsgN(ours, []byte("x"), nil, nil, unix.MSG_NOSIGNAL); err != unix.EPIPE {
			t.Errorf("the application writes with %v, want EPIPE", err)
		}
	})
}

// Destroy resets: the peer's read fails, the application is told ECONNABORTED, and
// the descriptor stays.
func TestDestroyResets(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		ours, peer := p.stuck(t)
		before, after, err := p.destroyer(t).Destroy(t.Context(), p.target(t, ours))
		must(t, "destroy", err)
		if before.State != tcp.CloseWait || after != (Sight{}) {
			t.Errorf("from %+v to %+v", before, after)
		}
		if _, err := read(peer); err != unix.ECONNRESET {
			t.Errorf("the peer reads with %v, want ECONNRESET", err)
		}
		if state(t, ours) != tcp.Closed {
			t.Errorf("ours is in %v", state(t, ours))
		}
		wakes(t, ours)
		if got, err := unix.GetsockoptInt(ours, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || unix.Errno(got) != unix.ECONNABORTED {
			t.Errorf("the application is told %v, %v: want ECONNABORTED", unix.Errno(got), err)
		}
	})
}

// The other side's stuck end: FIN_WAIT_2 with an owner.
func TestDestroyEndsFinWait2(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		ours, peer := p.stuck(t)
		_, after, err := p.destroyer(t).Destroy(t.Context(), p.target(t, peer))
		must(t, "destroy", err)
		if after != (Sight{}) {
			t.Errorf("left %+v", after)
		}
		await(t, ours, tcp.Closed) // the RST is masking: C8
	})
}

// C9: if the peer is gone for good, the first probe draws a RST. It leaves at
// once from a connection that was silent for longer than the idle time; on a busy
// machine that may take another try.
func TestKeepAliveFindsOutThatThePeerIsGone(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		for tries := 4; ; tries-- {
			ours, peer := p.pair(t)
			must(t, "TCP_LINGER2", unix.SetsockoptInt(peer, unix.IPPROTO_TCP, unix.TCP_LINGER2, 1))
			end(t, peer)
			await(t, ours, tcp.CloseWait)
			time.Sleep(2200 * time.Millisecond) // the orphan's FIN_WAIT_2: nothing on this side tells when it is over
			_, _, was, is, err := self(t).KeepAlive(ours, p.target(t, ours), Probes{Idle: time.Second, Interval: time.Second, Count: 3})
			must(t, "keepalive", err)
			if was.On || is != (Probes{true, time.Second, time.Second, 3}) {
				t.Errorf("was %+v, is %+v", was, is)
			}
			began := time.Now()
			await(t, ours, tcp.Closed)
			wakes(t, ours)
			if took := time.Since(began); took <= 500*time.Millisecond {
				return
			} else if tries == 0 {
				t.Fatalf("the probe took %v to leave", took)
			}
		}
	})
}

// wakes checks that whoever polls the socket is told of an error and a hang-up.
func wakes(t *testing.T, fd int) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(fd)}}
	const both = unix.POLLERR | unix.POLLHUP
	if n, err := unix.Poll(fds, 0); n != 1 || err != nil || fds[0].Revents&both != both {
		t.Errorf("poll says %x, %v", fds[0].Revents, err)
	}
}

// While the peer answers, keepalive ends nothing, and the answer shows.
func TestKeepAliveIsAnsweredByALivingPeer(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		ours, _ := p.stuck(t)
		time.Sleep(1100 * time.Millisecond) // longer than the idle time
		target := p.target(t, ours)
		_, _, _, _, err := self(t).KeepAlive(ours, target, Probes{Idle: time.Second, Interval: time.Second, Count: 3})
		must(t, "keepalive", err)
		n := p.namespace(t)
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
			s, err := n.Look(t.Context(), target)
			must(t, "look", err)
			if s.LastAckRecv < 900 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("no answer to the probe is seen: %+v", s)
			}
		}
		if state(t, ours) != tcp.CloseWait {
			t.Errorf("it is in %v", state(t, ours))
		}
	})
}

// What the application had set shorter stays, and what is as good already is not
// touched.
func TestKeepAliveNeverLoosens(t *testing.T) {
	p := here()
	ours, _ := p.stuck(t)
	set := func(level, option, v int) {
		must(t, "set", unix.SetsockoptInt(ours, level, option, v))
	}
	set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	set(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 30)
	want := Probes{Idle: time.Minute, Interval: 10 * time.Second, Count: 6}
	_, _, was, is, err := self(t).KeepAlive(ours, p.target(t, ours), want)
	must(t, "keepalive", err)
	if !was.On || is != (Probes{true, 30 * time.Second, 10 * time.Second, 6}) {
		t.Errorf("was %+v, is %+v", was, is)
	}
	if _, _, _, _, err = self(t).KeepAlive(ours, p.target(t, ours), want); !errors.Is(err, ErrEnough) {
		t.Errorf("a second time: %v", err)
	}
}

// Never-accepted: destroying removes the row and frees no place in the queue, so
// it is refused unless asked for.
func TestNeverAcceptedIsRefused(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		l := p.listen(t)
		c := p.connect(t, l)
		target := p.waiting(t, c)
		n := p.namespace(t)
		if _, _, err := n.Destroy(t.Context(), target); !errors.Is(err, ErrNeverAccepted) {
			t.Fatalf("error is %v", err)
		}
		before := queued(t, l)
		n = p.destroyer(t)
		target.Unaccepted = true
		_, _, err := n.Destroy(t.Context(), target)
		must(t, "destroy", err)
		if after := queued(t, l); before != 1 || after != 1 {
			t.Errorf("the queue had %d and has %d: destroying is said to free no place", before, after)
		}
		if _, err := n.Look(t.Context(), target); !errors.Is(err, ErrEnded) {
			t.Errorf("look: %v", err)
		}
	})
}

// One that the application accepts meanwhile is in use.
func TestAcceptedSinceIsNotDestroyed(t *testing.T) {
	p := here()
	l := p.listen(t)
	target := p.waiting(t, p.connect(t, l))
	target.Unaccepted = true
	accept(t, l)
	if _, _, err := p.namespace(t).Destroy(t.Context(), target); !errors.Is(err, ErrAccepted) {
		t.Errorf("error is %v", err)
	}
}

// The limit of open files can be raised for a process of one's own, never lowered.
func TestRaiseOpenFiles(t *testing.T) {
	var own unix.Rlimit
	must(t, "limit", unix.Getrlimit(unix.RLIMIT_NOFILE, &own))
	t.Cleanup(func() { must(t, "restore", unix.Setrlimit(unix.RLIMIT_NOFILE, &own)) })
	low := own
	low.Cur = own.Max / 2
	must(t, "lower", unix.Setrlimit(unix.RLIMIT_NOFILE, &low))
	before, after, err := self(t).RaiseOpenFiles(own.Max)
	must(t, "raise", err)
	if before != (Limit{low.Cur, own.Max}) || after != (Limit{own.Max, own.Max}) {
		t.Errorf("from %+v to %+v", before, after)
	}
	if _, _, err := self(t).RaiseOpenFiles(100); !errors.Is(err, ErrEnough) {
		t.Errorf("lowering: %v", err)
	}
}
