package main

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/watch"
	"github.com/closewait/closewait/tcp"
)

// stream is a running closewait watch --json.
type stream struct {
	t      *testing.T
	cmd    *exec.Cmd
	mu     sync.Mutex
	events []watch.Event
	ended  chan struct{}
}

func watchStream(t *testing.T, args ...string) *stream {
	t.Helper()
	s := &stream{t: t, cmd: command(t, append([]string{"watch", "--json", "--interval", "100ms", "--grace", "1s"}, args...)...), ended: make(chan struct{})}
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.ended)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var e watch.Event
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				t.Errorf("no event: %v in %s", err, lines.Text())
			}
			s.mu.Lock()
			s.events = append(s.events, e)
			s.mu.Unlock()
		}
	}()
	t.Cleanup(func() { s.stop() })
	s.await(watch.Began)
	return s
}

// stop asks it to end, as Ctrl-C would, and returns its status.
func (s *stream) stop() int {
	_ = s.cmd.Process.Signal(os.Interrupt)
	<-s.ended
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Wait()
	}
	return s.cmd.ProcessState.ExitCode()
}

// await waits for an event of one of these kinds that was not returned before.
func (s *stream) await(kinds ...watch.Kind) watch.Event {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		for i, e := range s.events {
			if slices.Contains(kinds, e.Kind) {
				s.events = append(s.events[:i:i], s.events[i+1:]...)
				s.mu.Unlock()
				return e
			}
		}
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.t.Fatalf("no event %s within a minute, but %+v", kinds, s.events)
	return watch.Event{}
}

// pair is a connection of this process with itself.
type pair struct {
	listener  *net.TCPListener
	ours, far *net.TCPConn
}

func connect(t *testing.T) *pair {
	t.Helper()
	p := &pair{listener: listening(t)}
	p.dial(t)
	return p
}

func listening(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func (p *pair) dial(t *testing.T) {
	t.Helper()
	d := net.Dialer{KeepAlive: -1}
	c, err := d.Dial("tcp4", p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	far, err := p.listener.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	p.ours, p.far = c.(*net.TCPConn), far
}

// awaitCloseWait waits until this end has the peer's FIN.
func (p *pair) awaitCloseWait(t *testing.T) {
	t.Helper()
	for state, deadline := uint8(0), time.Now().Add(time.Minute); state != uint8(tcp.CloseWait); {
		onSocket(t, p.ours, func(fd int) error {
			info, err := unix.GetsockoptTCPInfo(fd, unix.SOL_TCP, unix.TCP_INFO)
			if err == nil {
				state = info.State
			}
			return err
		})
		if time.Now().After(deadline) {
			t.Fatalf("the FIN has not come within a minute, in state %d", state)
		}
	}
}

func (p *pair) port() string { return strconv.Itoa(p.listener.Addr().(*net.TCPAddr).Port) }

// modes are the ways to watch: by looks, and with the sensor where that may be.
func modes(t *testing.T, test func(t *testing.T, exact bool, flags ...string)) {
	t.Run("looks", func(t *testing.T) { test(t, false, "--sensor", "never") })
	t.Run("sensor", func(t *testing.T) {
		privilege.Need(t, "events from the sensor")
		test(t, true, "--sensor", "always", "--shortest", "0")
	})
}

// The life of a leak, told from the FIN to the descriptor's end (C1, C2, C7, C8).
func TestWatchTellsALeaksLife(t *testing.T) {
	modes(t, func(t *testing.T, exact bool, flags ...string) {
		p := connect(t)
		w := watchStream(t, append(flags, "--port", p.port())...)
		fin := time.Now()
		must(t, p.far.Close())
		p.awaitCloseWait(t)
		there := time.Now()
		e := w.await(watch.FINReceived)
		if early, late := fin.Sub(e.At), e.At.Sub(there); exact && (early > time.Millisecond || late > 5*time.Millisecond) || !exact && (early > 10*time.Millisecond || late > time.Second) {
			t.Errorf("the FIN is told %v before it was sent, %v after it was there", early, late)
		}
		if e.Owner == nil || e.Owner.PID != os.Getpid() || e.Remote != p.listener.Addr().String() || exact != (e.Source == watch.FromSensor) {
			t.Errorf("%+v, owner %+v", e, e.Owner)
		}
		read := time.Now()
		if n, err := p.ours.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Fatal("no zero read", n, err)
		}
		done := time.Now()
		e = w.await(watch.ZeroRead)
		if e.Confidence != diagnose.Certain {
			t.Errorf("a read of the FIN alone returned zero, and that is %s", e.Confidence)
		}
		if early, late := read.Sub(e.At), e.At.Sub(done); exact && (early > time.Millisecond || late > 5*time.Millisecond) {
			t.Errorf("the zero read is told %v before it began, %v after it was done", early, late)
		}
		if e := w.await(watch.Stuck); e.Cause != diagnose.EOFIgnored || e.HalfClosed.AtLeastS < 1 {
			t.Errorf("%+v", e)
		}
		if !privilege.Held() {
			return // whether a dead descriptor remains can not be seen then
		}
		if _, err := p.ours.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		e = w.await(watch.Masked)
		if e.End != observe.EndReset || e.Confidence != diagnose.Certain || e.HalfClosed.AtLeastS < 1 {
			t.Errorf("%+v", e)
		}
		must(t, p.ours.Close())
		w.await(watch.Released)
		if got := w.stop(); got != exitOK {
			t.Errorf("Ctrl-C ends it with status %d", got)
		}
	})
}

// The other ways in which a connection ends.
func TestWatchTellsHowAConnectionEnds(t *testing.T) {
	for name, c := range map[string]struct {
		begin  func(t *testing.T, p *pair)
		kind   watch.Kind // that shows the beginning
		end    func(t *testing.T, p *pair)
		looks  string // by looks
		sensor string // with the sensor
	}{
		"closed": {
			begin: func(t *testing.T, p *pair) { must(t, p.far.Close()) }, kind: watch.FINReceived,
			end:   func(t *testing.T, p *pair) { must(t, p.ours.Close()) },
			looks: "ended:closed:likely", sensor: "ended:closed:certain"},
		"half-closed by this side, then closed": {
			begin: func(t *testing.T, p *pair) { must(t, p.ours.CloseWrite()) }, kind: watch.FINSent,
			end:   func(t *testing.T, p *pair) { must(t, p.ours.Close()) },
			looks: "ended:closed:certain", sensor: "ended:closed:certain"},
		"half-closed by this side, then by the peer": {
			begin: func(t *testing.T, p *pair) { must(t, p.ours.CloseWrite()) }, kind: watch.FINSent,
			end:   func(t *testing.T, p *pair) { must(t, p.far.Close()) },
			looks: "masked:unknown:", sensor: "masked:peer:certain"},
		"never accepted, and the listener closed": {
			begin: func(t *testing.T, p *pair) {
				c, err := net.Dial("tcp4", p.listener.Addr().String())
				must(t, err)
				must(t, c.Close())
			}, kind: watch.FINReceived,
			end:   func(t *testing.T, p *pair) { must(t, p.listener.Close()) },
			looks: "ended:listener:likely", sensor: "ended:listener:certain"},
		"keepalive unanswered": {
			begin: func(t *testing.T, p *pair) { must(t, p.far.CloseWrite()) }, kind: watch.FINReceived,
			end: func(t *testing.T, p *pair) {
				deafen(t, p.far)
				must(t, p.ours.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 1}))
			},
			looks: "masked:keepalive:certain", sensor: "masked:keepalive:certain"},
		"data unacknowledged": {
			begin: func(t *testing.T, p *pair) { must(t, p.far.CloseWrite()) }, kind: watch.FINReceived,
			end: func(t *testing.T, p *pair) {
				deafen(t, p.far)
				onSocket(t, p.ours, func(fd int) error {
					return unix.SetsockoptInt(fd, unix.SOL_TCP, unix.TCP_USER_TIMEOUT, 500)
				})
				if _, err := p.ours.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
			},
			looks: "masked:retransmissions:certain", sensor: "masked:retransmissions:certain"},
		"destroyed": {
			begin: func(t *testing.T, p *pair) { must(t, p.far.CloseWrite()) }, kind: watch.FINReceived,
			end: func(t *testing.T, p *pair) {
				privilege.Need(t, "a connection that is destroyed")
				closewait(t, "fix", "--apply", "--degree", "destroy", "--grace", "0", "--peer", p.listener.Addr().String()).want(t, exitOK)
			},
			looks: "masked:destroyed:certain", sensor: "masked:destroyed:certain"},
	} {
		t.Run(name, func(t *testing.T) {
			modes(t, func(t *testing.T, exact bool, flags ...string) {
				p := connect(t)
				w := watchStream(t, append(flags, "--port", p.port())...)
				c.begin(t, p)
				about := w.await(c.kind).Cookie
				c.end(t, p)
				want := c.looks
				if exact {
					want = c.sensor
				}
				e := w.await(watch.Ended, watch.Masked)
				for e.Cookie != about { // the other end's
					e = w.await(watch.Ended, watch.Masked)
				}
				// Whether a descriptor remains can be seen with privilege, mostly.
				if got := string(e.Kind) + ":" + string(e.End) + ":" + string(e.Confidence); got != want && (exact || privilege.Held()) {
					t.Errorf("%s, want %s; %+v", got, want, e)
				}
			})
		})
	}
}

// onSocket does something to a connection's descriptor.
func onSocket(t *testing.T, c *net.TCPConn, do func(fd int) error) {
	t.Helper()
	raw, err := c.SyscallConn()
	must(t, err)
	var failed error
	must(t, raw.Control(func(fd uintptr) { failed = do(int(fd)) }))
	must(t, failed)
}

// deafen lets nothing through to a socket: its host seems gone.
func deafen(t *testing.T, c *net.TCPConn) {
	t.Helper()
	privilege.Need(t, "a peer whose host is gone") // SO_ATTACH_FILTER, to drop all: CAP_NET_ADMIN
	nothing := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}
	onSocket(t, c, func(fd int) error {
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing[0]})
	})
}

func TestWatchTellsThatAProcessDied(t *testing.T) {
	modes(t, func(t *testing.T, exact bool, flags ...string) {
		p, err := misbehave.Start(t.Context(), misbehave.Spec{Kind: misbehave.EOFUnread, Title: "(watchtest:dies)"})
		must(t, err)
		t.Cleanup(func() { _ = p.Stop() })
		w := watchStream(t, append(flags, "--port", strconv.Itoa(int(p.Service().Port())))...)
		must(t, p.More(1)) // one that ends between two looks tells nothing
		w.await(watch.FINReceived)
		must(t, syscall.Kill(p.PIDs()[0], syscall.SIGKILL))
		e := w.await(watch.Ended)
		if e.End != observe.EndExited || e.Owner.Name != "(watchtest:dies)" || exact != (e.Confidence == diagnose.Certain) {
			t.Errorf("%+v, owner %+v", e, e.Owner)
		}
	})
}

// With the sensor, a function of the program that opened the connection is named.
func TestWatchNamesTheCode(t *testing.T) {
	privilege.Need(t, "the code that opened a connection")
	p := connect(t)
	w := watchStream(t, "--sensor", "always", "--shortest", "0", "--port", p.port())
	p.dial(t) // before it was watched, nobody took the stack
	must(t, p.far.Close())
	e := w.await(watch.Stuck)
	if len(e.OpenedBy) == 0 || !strings.Contains(e.OpenedBy[len(e.OpenedBy)-1].Function, "dial") {
		t.Errorf("opened by %+v, want this test's dial", e.OpenedBy)
	}
}

// The text form: a line for each event, and what can't be seen.
func TestWatchPrintsLines(t *testing.T) {
	p := connect(t)
	must(t, p.far.Close())
	var r result
	// On a busy machine it may take longer than its time until the connection is stuck.
	for most := 1500 * time.Millisecond; most < time.Minute && !strings.Contains(r.out, " stuck "); most *= 2 {
		r = closewait(t, "watch", "--for", most.String(), "--interval", "100ms", "--grace", "1s", "--sensor", "never", "--port", p.port()).want(t, exitOK)
	}
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if !strings.Contains(lines[0], "began") || !strings.Contains(r.out, "the sensor is not used (--sensor never)") {
		t.Errorf("it begins with %q", r.out)
	}
	last := ""
	for _, line := range lines {
		if strings.Contains(line, " stuck ") {
			last = line
		}
	}
	if !strings.Contains(last, "stuck") || !strings.Contains(last, p.ours.LocalAddr().String()+" ↔ "+p.far.LocalAddr().String()) || !strings.Contains(last, "(pid "+strconv.Itoa(os.Getpid())+")") {
		t.Errorf("it ends with %q", last)
	}
}

// SIGTERM is no failure: who stops a watch has seen enough.
func TestWatchEndsBySignal(t *testing.T) {
	w := watchStream(t, "--port", "1")
	must(t, w.cmd.Process.Signal(syscall.SIGTERM))
	<-w.ended
	if got := w.stop(); got != exitOK {
		t.Errorf("status %d after SIGTERM", got)
	}
}

func TestWatchRefusesWhatMakesNoSense(t *testing.T) {
	for args, want := range map[string]string{
		"watch --interval 1ms":  `"--interval" flag: use 100ms to 1h`,
		"watch x":               "watch takes no argument",
		"watch --sensor please": `"--sensor" flag: use auto, always or never`,
	} {
		if r := closewait(t, strings.Fields(args)...).want(t, exitUsage); !strings.Contains(r.err, want) {
			t.Errorf("closewait %s says %q, want %q", args, r.err, want)
		}
	}
}
