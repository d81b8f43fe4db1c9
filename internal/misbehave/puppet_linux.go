package misbehave

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// puppet is the child's side of an actor: sockets, and the steps done with them.
// Steps come one at a time; the pulse runs beside them.
type puppet struct {
	ctl      *control
	set      settings
	diag     *diag
	listener *sock
	flights  []int // unix sockets that hold descriptors in flight
	brood    brood // holders and leaves
	churning sync.WaitGroup

	mu    sync.Mutex // guards what the pulse uses: legs and the socks in it
	legs  map[string]map[int]*sock
	pulse pulse
}

// runPuppet obeys until its control socket ends.
func runPuppet(ctl *control) {
	p := &puppet{ctl: ctl, legs: map[string]map[int]*sock{}}
	for {
		var o order
		if err := ctl.receive(&o); err != nil {
			return
		}
		a, fds, err := p.perform(o)
		if err != nil {
			a.Error = err.Error()
			a.Unsupported = errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.ENOPROTOOPT)
			a.Denied = errors.Is(err, unix.EPERM)
		}
		if err := ctl.send(a, fds...); err != nil {
			return
		}
	}
}

// perform does one step.
func (p *puppet) perform(o order) (a answer, fds []int, err error) {
	deadline := time.Now().Add(o.Within)
	switch o.Op {
	case "init":
		err = p.init(*o.Settings)
	case "listen":
		a, err = p.listen(o)
	case "lend":
		fds = []int{p.listener.fd}
	case "borrow":
		a, err = p.borrow()
	case "connect":
		a.Socks, err = p.connect(o, deadline)
	case "accept":
		a.Socks, err = p.accept(o, deadline)
	case "accept-any":
		a.N, err = p.acceptAny()
	case "queued":
		a.N, err = p.queued()
	case "open":
		err = p.open(o)
	case "expect":
		a.Socks, err = p.expect(o, deadline)
	case "fork":
		a.N, err = p.fork(o)
	case "churn":
		err = p.churn(o)
	case "abort":
		p.abort()
	default:
		err = p.each(o, deadline)
	}
	return a, fds, err
}

// each does a step on every socket of the order.
func (p *puppet) each(o order, deadline time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o.Op == "fill" {
		return p.fill(o, deadline)
	}
	for i := o.From; i < o.To; i++ {
		s := p.legs[o.Leg][i]
		if s == nil {
			return fmt.Errorf("%s %s %d: no such socket", o.Op, o.Leg, i)
		}
		if err := p.one(o, s, i, deadline); err != nil {
			return fmt.Errorf("%s %s %d (%v → %v): %w", o.Op, o.Leg, i, s.local, s.remote, err)
		}
	}
	return nil
}

func (p *puppet) one(o order, s *sock, i int, deadline time.Time) error {
	switch o.Op {
	case "send":
		return s.send(o.Bytes, deadline)
	case "recv":
		return s.recv(o.Bytes, deadline)
	case "recv-once":
		return s.recvOnce(o.Bytes, deadline)
	case "read-all":
		return s.readAll(deadline)
	case "peek-eof":
		return s.peekEOF(deadline)
	case "shutdown":
		return unix.Shutdown(s.fd, unix.SHUT_WR)
	case "close":
		return s.close()
	case "farewell":
		return s.farewell(o.Bytes)
	case "linger-0":
		return s.lingerZero()
	case "deaf":
		return s.deafen()
	case "fly":
		return p.fly(s)
	case "tls-serve":
		return s.serveTLS(deadline)
	case "tls-ask":
		return s.askTLS(deadline)
	case "drip", "drain", "pump":
		return p.pulse.add(p, o, s, i)
	}
	return errors.New("no such step")
}

// init changes the process itself, before it has any socket.
func (p *puppet) init(set settings) error {
	p.set = set
	limit := unix.Rlimit{}
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	if set.NoFile != 0 {
		limit.Cur = min(set.NoFile, limit.Max)
	}
	// package syscall's, so that Go's runtime does not restore the old limit on exec.
	err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: limit.Cur, Max: limit.Max})
	if err != nil {
		return fmt.Errorf("set RLIMIT_NOFILE to %d: %w", limit.Cur, err)
	}
	if set.UID != 0 {
		if err := become(set.UID); err != nil {
			return fmt.Errorf("become uid %d: %w", set.UID, err)
		}
	}
	p.diag, err = openDiag()
	return err
}

// become drops root for good. Package syscall changes all threads.
func become(uid int) error {
	if err := syscall.Setgroups(nil); err != nil {
		return err
	}
	if err := syscall.Setresgid(uid, uid, uid); err != nil {
		return err
	}
	if err := syscall.Setresuid(uid, uid, uid); err != nil {
		return err
	}
	// The change made /proc/PID root's (proc(5), fs.suid_dumpable): a login of that
	// user would have had its own.
	return unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)
}

// fork starts a holder, which inherits the sockets of the order by fork and exec:
// socket o.From as descriptor firstHeld, the next as firstHeld+1, and so on. It
// answers the holder's pid.
func (p *puppet) fork(o order) (int, error) {
	files := []uintptr{0, 1, 2, leashFD}
	for i := o.From; i < o.To; i++ {
		files = append(files, uintptr(p.legs[o.Leg][i].fd))
	}
	pid, err := p.brood.fork(roleHolder, []string{o.Title}, files, func() {})
	if err != nil {
		return 0, fmt.Errorf("start a holder: %w", err)
	}
	return pid, nil
}

// abort ends every connection by a RST, so that nothing of it is left in the
// namespace: no orphan, no mini-socket, no corpse in a queue.
func (p *puppet) abort() {
	p.brood.end()
	p.churning.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pulse.stop()
	if p.listener != nil {
		_ = p.listener.close()
	}
	for _, leg := range p.legs {
		for _, s := range leg {
			if s.fd >= 0 {
				_ = s.lingerZero()
				_ = s.close()
			}
		}
	}
	for _, fd := range p.flights {
		_ = unix.Close(fd)
	}
	p.flights = nil
}
