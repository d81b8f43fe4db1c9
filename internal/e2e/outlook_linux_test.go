package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/kernel/sockdiag"
	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// shortSettings make every timer of the kernel's end within seconds.
var shortSettings = map[string]string{
	"tcp_fin_timeout": "3", "tcp_keepalive_time": "1", "tcp_keepalive_intvl": "1", "tcp_keepalive_probes": "4",
	"tcp_retries2": "4", "tcp_orphan_retries": "2", "tcp_rto_max_ms": "1000",
}

// fate is one socket whose outlook is held against what then happens.
type fate struct {
	name string
	spec misbehave.Spec
	// twist changes the program's sockets once it runs.
	twist func(t *testing.T, x *player)
	// lasts: it must outlive three times the others. Else it ends.
	lasts bool
	// blind: what decides is a socket option, so only bpf's prediction counts.
	blind bool
	// bound: how long it has been so is not all seen, so the prediction is an upper
	// bound (icsk_backoff grows to tcp_retries2 only, however many probes went out).
	bound bool
	// linger: a connection closed with TCP_LINGER2, not a program.
	linger bool
	// either: the last of a row of events may come one second earlier or later than
	// predicted. A look reads the two ends at two moments, and a keepalive probe may
	// meet the peer's last or no more.
	either bool
}

func fates() []fate {
	keepalive := func(k misbehave.Kind) misbehave.Spec { return misbehave.Spec{Kind: k, KeepAlive: true} }
	plain := func(k misbehave.Kind) misbehave.Spec { return misbehave.Spec{Kind: k} }
	return []fate{
		{name: "FIN_WAIT_2 of an orphan (C10)", spec: plain(misbehave.OrphanDraining)},
		{name: "FIN_WAIT_2 of an owner (C5)", spec: plain(misbehave.PeerKeepsOpen), lasts: true},
		{name: "no timer (C14)", spec: plain(misbehave.EOFIgnored), lasts: true},
		{name: "in an accept queue", spec: plain(misbehave.NeverAccepted), lasts: true},
		{name: "keepalive, the peer closed (C9)", spec: keepalive(misbehave.EOFUnread), either: true},
		{name: "keepalive, the peer answers (C5)", spec: keepalive(misbehave.SlowAnswer), lasts: true},
		{name: "keepalive, the peer vanished", spec: keepalive(misbehave.SlowAnswer), twist: deafenPeer},
		{name: "data retransmitted (C13)", spec: plain(misbehave.SendBlockedRetransmit)},
		{name: "FIN retransmitted by an owner", spec: plain(misbehave.FinUnacked)},
		{name: "FIN retransmitted by an orphan", spec: plain(misbehave.FinUnackedOrphan)},
		{name: "CLOSING, retransmitted", spec: plain(misbehave.FinUnackedClosing)},
		{name: "LAST_ACK of an owner", spec: plain(misbehave.FinUnackedLastAck)},
		{name: "LAST_ACK of an orphan", spec: plain(misbehave.FinUnackedLastAckOrphan)},
		{name: "zero window, answered", spec: plain(misbehave.SendBlocked), lasts: true},
		{name: "zero window in FIN_WAIT_1", spec: plain(misbehave.SendBlockedFinWait1), lasts: true},
		{name: "zero window in LAST_ACK", spec: plain(misbehave.SendBlockedLastAck), lasts: true},
		{name: "zero window, the peer vanished", spec: plain(misbehave.SendBlocked), twist: deafenPeer},
		{name: "zero window of an orphan in FIN_WAIT_1", spec: plain(misbehave.SendBlockedFinWait1Orphan)},
		{name: "zero window of an orphan in LAST_ACK", spec: plain(misbehave.SendBlockedLastAckOrphan)},
		{name: "TCP_USER_TIMEOUT shorter than the limit", spec: plain(misbehave.FinUnackedLastAck), twist: userTimeout(2400), blind: true},
		{name: "TCP_USER_TIMEOUT longer than the limit", spec: plain(misbehave.SendBlockedRetransmit), twist: userTimeout(5000), blind: true},
		{name: "TCP_USER_TIMEOUT and a zero window", spec: plain(misbehave.SendBlocked), twist: userTimeout(4000), blind: true, bound: true},
		{name: "FIN_WAIT_2 of an orphan for more than 60 s", linger: true, blind: true},
	}
}

// borrow calls fn with a copy of another process's descriptor.
func borrow(t *testing.T, pid, fd int, fn func(fd int) error) {
	t.Helper()
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(process)
	held, err := unix.PidfdGetfd(process, fd, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(held)
	if err := fn(held); err != nil {
		t.Fatal(err)
	}
}

// deafenPeer drops every packet that comes to the peer's socket: its host has
// vanished, so far as the culprit can tell.
func deafenPeer(t *testing.T, x *player) {
	t.Helper()
	drop := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}
	for _, c := range x.record() {
		if !c.Culprit && c.FD >= 0 {
			borrow(t, c.PID, c.FD, func(fd int) error {
				return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop[0]})
			})
		}
	}
}

func userTimeout(ms int) func(*testing.T, *player) {
	return func(t *testing.T, x *player) {
		t.Helper()
		c := x.Culprits()[0]
		borrow(t, c.PID, c.FD, func(fd int) error {
			return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, ms)
		})
	}
}

// rounds is how often a fate is played that ended before anybody had looked: on
// a busy machine a look can take longer than a short fate.
const rounds = 4

// TestOutlook holds what is predicted of each socket, whenever it is looked at,
// against when the kernel then ends it.
func TestOutlook(t *testing.T) {
	t.Parallel()
	s := newSpace(t)
	s.set(t, shortSettings)
	unseen := fates()
	for range rounds {
		if unseen = playFates(t, s, unseen); len(unseen) == 0 {
			return
		}
	}
	for _, f := range unseen {
		t.Errorf("%s: no look predicted its end, in %d rounds", f.name, rounds)
	}
}

// playFates judges each fate, and returns those that no look has seen.
func playFates(t *testing.T, s *space, all []fate) (unseen []fate) {
	t.Helper()
	w := watch(t, s)
	defer w.stop()
	conns, since := make([]misbehave.Conn, len(all)), make([]time.Time, len(all))
	for i, f := range all {
		conns[i], since[i] = f.begin(t, s)
		w.follow(conns[i], since[i])
	}
	w.run(t, func(flow tcp.Flow) bool {
		i := slices.IndexFunc(conns, func(c misbehave.Conn) bool { return flowOf(c) == flow })
		return all[i].lasts
	})
	w.stop()
	for i, f := range all {
		seen := true
		t.Run(f.name, func(t *testing.T) { seen = judgeFate(t, w, f, conns[i], since[i]) })
		if !seen {
			unseen = append(unseen, f)
		}
	}
	return unseen
}

// begin plays the fate's program up to where its socket is to be followed.
func (f fate) begin(t *testing.T, s *space) (misbehave.Conn, time.Time) {
	t.Helper()
	if f.linger {
		return lingering(t, s), time.Now()
	}
	x := one(t, s, f.spec)
	if f.twist != nil {
		f.twist(t, x)
		return x.Culprits()[0], time.Now()
	}
	return x.Culprits()[0], x.ready
}

// lingering closes a connection that is to stay in FIN_WAIT_2 for 62 s, of which
// Linux waits 2 s with the whole socket and 2 s with a mini-socket (tcp_fin_time,
// tcp_keepalive_timer).
func lingering(t *testing.T, s *space) misbehave.Conn {
	t.Helper()
	l := listen(t, s, "127.0.0.1", 8)
	c := l.dial(s, l.local())
	l.accept()
	c.set(unix.IPPROTO_TCP, unix.TCP_LINGER2, 62)
	conn := misbehave.Conn{Local: c.local(), Remote: l.local()}
	c.close()
	return conn
}

func flowOf(c misbehave.Conn) tcp.Flow { return tcp.Flow{Local: c.Local, Remote: c.Remote}.Unmapped() }

// watcher looks at a namespace with every reader, again and again, and asks
// sock_diag all the while which sockets there are.
type watcher struct {
	space *space
	mu    sync.Mutex
	lives map[tcp.Flow]*life
	looks []*observe.Snapshot
	stop  func()
}

// life is when a socket was last seen and first missed: it ended between the two,
// which can be seconds apart on a machine that stood still.
type life struct{ since, last, ended time.Time }

// off is by how much it ended later than at a time, or earlier (negative), at least.
func (l *life) off(at time.Time) time.Duration {
	return max(l.last.Sub(at), 0) + min(l.ended.Sub(at), 0)
}

func watch(t *testing.T, s *space) *watcher {
	t.Helper()
	w := &watcher{space: s, lives: map[tcp.Flow]*life{}}
	quit := make(chan struct{})
	var wait sync.WaitGroup
	loop := func(every time.Duration, fn func()) {
		wait.Go(func() {
			for {
				fn()
				select {
				case <-quit:
					return
				case <-time.After(every):
				}
			}
		})
	}
	loop(25*time.Millisecond, func() {
		if err := s.do(w.poll); err != nil {
			t.Error(err)
		}
	})
	for _, reader := range readers() {
		loop(250*time.Millisecond, func() { w.look(t, reader) })
	}
	w.stop = sync.OnceFunc(func() { close(quit); wait.Wait() })
	return w
}

func (w *watcher) follow(c misbehave.Conn, since time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lives[flowOf(c)] = &life{since: since}
}

// poll runs inside the namespace.
func (w *watcher) poll() error {
	conn, err := sockdiag.Dial(0)
	if err != nil {
		return err
	}
	defer conn.Close()
	seen := map[tcp.Flow]bool{}
	before := time.Now()
	_, err = conn.Dump(context.Background(), sockdiag.Query{States: sockdiag.AllStates &^ sockdiag.States(tcp.TimeWait, tcp.Listen)}, func(r *sockdiag.Row) error {
		seen[tcp.Flow{Local: r.Local, Remote: r.Remote}.Unmapped()] = true
		return nil
	}, func() { clear(seen) })
	if err != nil {
		return err
	}
	after := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for flow, l := range w.lives {
		switch {
		case seen[flow]:
			l.last, l.ended = before, time.Time{} // between an orphan and its mini-socket a dump may miss both
		case l.ended.IsZero():
			l.ended = after
		}
	}
	return nil
}

func (w *watcher) look(t *testing.T, reader string) {
	s := look(t, reader)
	s.Sockets = slices.DeleteFunc(s.Sockets, func(x observe.Socket) bool { return x.NetNS != w.space.id })
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks = append(w.looks, s)
}

// run returns when all that end have ended, and those that last have outlived
// them by three times.
func (w *watcher) run(t *testing.T, lasts func(tcp.Flow) bool) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for ; time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if w.done(lasts) {
			return
		}
	}
	t.Error("not all sockets have ended that should: see below")
}

func (w *watcher) done(lasts func(tcp.Flow) bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	longest, waiting := time.Duration(0), false
	for flow, l := range w.lives {
		if !lasts(flow) {
			waiting = waiting || l.ended.IsZero() || time.Since(l.ended) < 500*time.Millisecond
			longest = max(longest, l.ended.Sub(l.since))
		}
	}
	for flow, l := range w.lives {
		if lasts(flow) && time.Since(l.since) < 3*longest {
			waiting = true
		}
	}
	return !waiting
}

// judgeFate compares every prediction since the socket was as it is, and reports
// whether there was one.
func judgeFate(t *testing.T, w *watcher, f fate, c misbehave.Conn, since time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.lives[flowOf(c)]
	if ended := !l.ended.IsZero(); ended == f.lasts {
		t.Fatalf("it ended: %v (after %v); that it lasts: %v", ended, l.ended.Sub(l.since), f.lasts)
	}
	told := map[string]int{}
	for _, s := range w.looks {
		if s.TakenAt.Before(since) || f.blind && s.Reader != "bpf" {
			continue
		}
		o, socket := outlookOf(s, w.space, c)
		if o == nil || socket.State == tcp.Closed { // after the end a descriptor may be left
			continue
		}
		told[s.Reader]++
		judgeOutlook(t, s, socket, o, l, f)
	}
	if f.lasts {
		t.Logf("still there; predictions: %v", told)
	} else {
		t.Logf("ended after %v; predictions: %v", l.ended.Sub(l.since).Round(time.Millisecond), told)
	}
	return len(told) > 0
}

func judgeOutlook(t *testing.T, s *observe.Snapshot, socket *observe.Socket, o *diagnose.Outlook, l *life, f fate) {
	t.Helper()
	at := s.TakenAt.Sub(l.since).Round(time.Millisecond)
	where := fmt.Sprintf("%s at %v (timer %d in %v, %d retries)", s.Reader, at, socket.Timer.Kind, socket.Timer.Expires.Duration(), socket.Timer.Retries)
	lasting := o.Kind == diagnose.Never || o.Kind == diagnose.OnWrite
	// That a peer has vanished shows only when something was not answered.
	unknown := f.twist != nil && socket.Timer.Retries < 2 && !f.blind
	switch {
	case f.lasts || lasting && unknown:
		if !lasting {
			t.Errorf("%s: ends %s %v, and was still there", where, o.Kind, o.At.Sub(s.TakenAt))
		}
		return
	case o.Kind == diagnose.Soon:
		if l.off(s.TakenAt.Add(3*time.Second)) > 0 {
			t.Errorf("%s: ends soon, and lasted for %v", where, l.ended.Sub(s.TakenAt))
		}
		return
	case lasting:
		t.Errorf("%s: ends %s (%s), and ended %v later", where, o.Kind, o.Why, l.ended.Sub(s.TakenAt))
		return
	}
	took := time.Duration(s.TookMS * float64(time.Millisecond))
	predicted := o.At.Sub(s.TakenAt)
	off := l.off(*o.At)
	if f.either {
		took += time.Second
	}
	if tolerance := predicted*15/100 + 500*time.Millisecond + took; off > tolerance || off < -tolerance && !f.bound {
		t.Errorf("%s: predicted %s %v, and ended %v later (%s)", where, o.Kind, predicted, l.ended.Sub(s.TakenAt), o.Why)
	}
}

// outlookOf is what a look predicts of one socket.
func outlookOf(s *observe.Snapshot, in *space, c misbehave.Conn) (*diagnose.Outlook, *observe.Socket) {
	flow := flowOf(c)
	i := slices.IndexFunc(s.Sockets, func(x observe.Socket) bool { return x.Flow() == flow })
	if i < 0 {
		return nil, nil
	}
	// The one of the two ports that is the client's is only this connection's.
	o := diagnose.Options{Grace: time.Millisecond, Sockets: true, Filter: diagnose.Filter{
		NetNS: []string{strconv.FormatUint(in.id, 10)}, States: []tcp.State{s.Sockets[i].State}, Peers: []diagnose.Peer{{
			Prefix: netip.PrefixFrom(flow.Remote.Addr(), flow.Remote.Addr().BitLen()), Port: flow.Remote.Port(),
		}}, Ports: []uint16{flow.Local.Port()},
	}}
	for _, f := range diagnose.Diagnose(nil, s, o).Findings {
		if f.Count == 1 && f.Sockets[0].Local == flow.Local.String() && f.Sockets[0].Remote == flow.Remote.String() {
			return &f.Outlook, &s.Sockets[i]
		}
	}
	return nil, nil
}
