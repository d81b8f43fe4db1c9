//go:build linux

package act

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/procfs"
	"github.com/closewait/closewait/internal/kernel/sockdiag"
	"github.com/closewait/closewait/tcp"
)

// waiting is the accept queue's end of a connection whose client has gone.
func (p place) waiting(t *testing.T, client int) Target {
	t.Helper()
	n := p.namespace(t)
	local, remote := peerName(t, client), name(t, client)
	must(t, "shutdown", unix.Shutdown(client, unix.SHUT_WR))
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		row, err := n.conn.Get(t.Context(), sockdiag.ID{Local: local, Remote: remote})
		if err == nil && row.State == tcp.CloseWait && row.Inode == 0 {
			return rowTarget(&row)
		}
		if time.Now().After(deadline) {
			t.Fatalf("no waiting connection within 30 s: %+v, %v", row, err)
		}
	}
}

// queued is the length of a listener's accept queue (tcpi_unacked, tcp_get_info).
func queued(t *testing.T, l int) uint32 {
	t.Helper()
	info, err := unix.GetsockoptTCPInfo(l, unix.IPPROTO_TCP, unix.TCP_INFO)
	must(t, "TCP_INFO", err)
	return info.Unacked
}

// acts are the three on a socket, as one table drives them.
func acts(t *testing.T, p place) map[string]func(fd int, x Target) error {
	process, n := self(t), p.namespace(t)
	return map[string]func(fd int, x Target) error{
		"shutdown": func(fd int, x Target) error { _, _, err := process.Shutdown(fd, x); return err },
		"keepalive": func(fd int, x Target) error {
			_, _, _, _, err := process.KeepAlive(fd, x, Probes{Idle: time.Minute, Interval: time.Second, Count: 1})
			return err
		},
		"destroy": func(_ int, x Target) error { _, _, err := n.Destroy(context.Background(), x); return err },
	}
}

// Whatever is not exactly what was found stuck is left as it is.
func TestWhatHasChangedIsNotTouched(t *testing.T) {
	for _, row := range []struct {
		name string
		// change makes a stuck connection's end something else; it may change the target.
		change func(t *testing.T, p place, ours, peer int, x *Target) (fd int)
		// want is the refusal, destroyed where SOCK_DESTROY has another.
		want, destroyed error
	}{
		{"no cookie", func(_ *testing.T, _ place, ours, _ int, x *Target) int { x.Cookie = 0; return ours }, ErrNoCookie, ErrNoCookie},
		{"another cookie", func(_ *testing.T, _ place, ours, _ int, x *Target) int { x.Cookie++; return ours }, ErrReused, ErrEnded},
		{"it sent data, which was ACKed", func(t *testing.T, p place, ours, _ int, _ *Target) int {
			n := p.target(t, ours).Moved.Acked
			_, err := unix.Write(ours, []byte("x"))
			must(t, "write", err)
			for p.target(t, ours).Moved.Acked == n {
				time.Sleep(time.Millisecond)
			}
			return ours
		}, ErrInUse, ErrInUse},
		{"it wrote more behind a closed window", func(t *testing.T, p place, ours, _ int, x *Target) int {
			buffer := func(size int) { must(t, "buffer", unix.SetsockoptInt(ours, unix.SOL_SOCKET, unix.SO_SNDBUF, size)) }
			must(t, "nonblock", unix.SetNonblock(ours, true))
			buffer(8 << 10)
			var err error
			for err == nil { // until the peer takes no more
				_, err = unix.Write(ours, make([]byte, 64<<10))
			}
			buffer(128 << 10)
			for settled := p.target(t, ours); x.Moved != settled.Moved; settled = p.target(t, ours) {
				*x = settled
				time.Sleep(20 * time.Millisecond)
			}
			_, err = unix.Write(ours, []byte("x"))
			must(t, "write", err)
			return ours
		}, ErrInUse, ErrInUse},
		{"it read what waited", func(_ *testing.T, _ place, ours, _ int, x *Target) int {
			x.RecvQ = 3 // as seen: two bytes and the FIN
			return ours
		}, ErrInUse, ErrInUse},
		{"it was shut down", func(t *testing.T, _ place, ours, _ int, _ *Target) int {
			must(t, "shutdown", unix.Shutdown(ours, unix.SHUT_RDWR))
			await(t, ours, tcp.Closed)
			return ours
		}, ErrEnded, ErrEnded},
		{"another connection has its descriptor", func(t *testing.T, p place, ours, _ int, _ *Target) int {
			fresh, _ := p.pair(t)
			must(t, "dup", unix.Dup3(fresh, ours, unix.O_CLOEXEC))
			return ours
		}, ErrReused, ErrEnded},
		{"a file has its descriptor", func(t *testing.T, _ place, ours, _ int, _ *Target) int {
			end(t, ours)
			return ours
		}, ErrReused, ErrEnded},
	} {
		t.Run(row.name, func(t *testing.T) {
			for name := range acts(t, here()) {
				p := here()
				ours, peer := p.stuck(t)
				x := p.target(t, ours)
				fd := row.change(t, p, ours, peer, &x)
				want := row.want
				if name == "destroy" {
					want = row.destroyed
				}
				err := acts(t, p)[name](fd, x)
				if own, ok := errors.AsType[*Error](err); !errors.Is(err, want) || !ok || own.Op != name {
					t.Errorf("%s: error is %v, want %v", name, err, want)
				}
				if got, err := unix.GetsockoptInt(ours, unix.SOL_SOCKET, unix.SO_KEEPALIVE); err == nil && got != 0 {
					t.Errorf("%s: keepalive is on", name)
				}
			}
		})
	}
}

// The other side's half: what comes in meanwhile is use as well.
func TestWhatHasReceivedIsNotTouched(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		for name, act := range acts(t, p) {
			if name == "shutdown" {
				continue // never of FIN_WAIT_2
			}
			peer, ours := p.stuck(t)
			x := p.target(t, ours)
			_, err := unix.Write(peer, []byte("x"))
			must(t, "write", err)
			for p.target(t, ours).Moved == x.Moved {
				time.Sleep(time.Millisecond)
			}
			if err := act(ours, x); !errors.Is(err, ErrInUse) || state(t, ours) != tcp.FinWait2 {
				t.Errorf("%s: error is %v, in %v", name, err, state(t, ours))
			}
		}
	})
}

// An ESTABLISHED connection is never acted on, whatever the target says.
func TestEstablishedIsNeverTouched(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		for name, act := range acts(t, p) {
			ours, peer := p.pair(t)
			honest := p.target(t, ours)
			lying := honest
			lying.State = tcp.CloseWait
			for _, x := range []Target{honest, lying} {
				err := act(ours, x)
				if wrong, ok := errors.AsType[*StateError](err); !ok || wrong.Now != tcp.Established {
					t.Errorf("%s: error is %v", name, err)
				}
			}
			if _, err := unix.Write(peer, []byte("x")); err != nil {
				t.Error(err)
			}
			if n, err := read(ours); n != 1 || err != nil || state(t, ours) != tcp.Established {
				t.Errorf("%s: it reads %d, %v, in %v", name, n, err, state(t, ours))
			}
		}
	})
}

// A cookie is checked by the kernel itself: a connection that took over the
// addresses of one that was to be destroyed lives on.
func TestReusedAddressesAreNotDestroyed(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		l := p.listen(t)
		reset := &unix.Linger{Onoff: 1}
		old := p.socket(t, 0)
		must(t, "reuse", unix.SetsockoptInt(old, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
		must(t, "bind", unix.Bind(old, p.sockaddr(freePort(t, p))))
		must(t, "connect", dial(old, p.sockaddr(name(t, l).Port())))
		peer := accept(t, l)
		must(t, "shutdown", unix.Shutdown(peer, unix.SHUT_WR))
		await(t, old, tcp.CloseWait)
		x, from := p.target(t, old), name(t, old)
		must(t, "linger", unix.SetsockoptLinger(old, unix.SOL_SOCKET, unix.SO_LINGER, reset))
		end(t, old)

		fresh := p.socket(t, 0)
		must(t, "reuse", unix.SetsockoptInt(fresh, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
		must(t, "bind", unix.Bind(fresh, p.sockaddr(from.Port())))
		must(t, "connect", dial(fresh, p.sockaddr(name(t, l).Port())))
		second := accept(t, l)
		must(t, "shutdown", unix.Shutdown(second, unix.SHUT_WR))
		await(t, fresh, tcp.CloseWait) // the same addresses and the same state
		if _, _, err := p.namespace(t).Destroy(t.Context(), x); !errors.Is(err, ErrEnded) {
			t.Errorf("error is %v", err)
		}
		if err := p.namespace(t).conn.Destroy(t.Context(), sockdiag.ID{Local: x.Local, Remote: x.Remote, Cookie: x.Cookie}); !errors.Is(err, sockdiag.ErrNotFound) {
			t.Errorf("the kernel's own check says %v", err)
		}
		if state(t, fresh) != tcp.CloseWait {
			t.Errorf("the new connection is in %v", state(t, fresh))
		}
	})
}

// A socket that is bound to a device is found all the same.
func TestASocketBoundToADeviceIsFound(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		ours, peer := p.stuck(t)
		// Needs no privilege since Linux 5.7.
		must(t, "SO_BINDTODEVICE", unix.SetsockoptString(ours, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, "lo"))
		x := Target{Cookie: 1}
		_, err := p.namespace(t).conn.Dump(t.Context(), sockdiag.Query{Info: true, States: sockdiag.States(tcp.CloseWait), Local: name(t, ours)},
			func(r *sockdiag.Row) error {
				if r.Remote.Port() == name(t, peer).Port() {
					x = rowTarget(r)
				}
				return nil
			}, nil)
		must(t, "dump", err)
		_, after, err := p.destroyer(t).Destroy(t.Context(), x)
		must(t, "destroy", err)
		if after != (Sight{}) || state(t, ours) != tcp.Closed {
			t.Errorf("left %+v, in %v", after, state(t, ours))
		}
	})
}

// A Multipath TCP socket shows a subflow's state, so nothing is done to it.
func TestMultipathIsRefused(t *testing.T) {
	at := netip.AddrPortFrom(here().addr, 1)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	must(t, "socket", err)
	defer unix.Close(fd)
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	must(t, "cookie", err)
	_, _, err = self(t).Shutdown(fd, Target{Cookie: cookie, State: tcp.CloseWait, Local: at, Remote: at})
	if !errors.Is(err, ErrMultipath) {
		t.Errorf("error is %v", err)
	}
}

// A process is the one with the start time, or none.
func TestAnotherProcessIsNotOpened(t *testing.T) {
	ticks, err := procfs.FS{}.StartTicks(os.Getpid())
	must(t, "start time", err)
	if _, err := Open(procfs.FS{}, os.Getpid(), ticks+1); !errors.Is(err, ErrProcessGone) {
		t.Errorf("another start time: %v", err)
	}
	gone := exec.Command("/proc/self/exe", "-test.run=^$")
	must(t, "run", gone.Run())
	if _, err := Open(procfs.FS{}, gone.Process.Pid, 1); !errors.Is(err, ErrProcessGone) {
		t.Errorf("an ended one: %v", err)
	}
	// One that ends while it is held: its pid may become another's.
	held := exec.Command("cat")
	in, err := held.StdinPipe()
	must(t, "pipe", err)
	must(t, "start", held.Start())
	ticks, err = procfs.FS{}.StartTicks(held.Process.Pid)
	must(t, "start time", err)
	p, err := Open(procfs.FS{}, held.Process.Pid, ticks)
	must(t, "open", err)
	defer p.Close()
	must(t, "end", errors.Join(in.Close(), held.Wait()))
	if _, _, err := p.RaiseOpenFiles(1 << 20); !errors.Is(err, ErrProcessGone) {
		t.Errorf("raise: %v", err)
	}
	if _, _, err := p.Shutdown(0, Target{Cookie: 1}); !errors.Is(err, ErrProcessGone) {
		t.Errorf("shutdown: %v", err)
	}
}

func TestErrorsSayWhatIsNeeded(t *testing.T) {
	for _, err := range []error{
		&CapabilityError{"CAP_NET_ADMIN", "to destroy a socket"},
		&Error{Op: "destroy", Err: &CapabilityError{"CAP_NET_ADMIN", "x"}},
	} {
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%v is no permission error", err)
		}
	}
}
