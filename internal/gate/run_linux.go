package gate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Run runs a program and watches what it and all that it starts do to their
// connections, until it has ended. It returns an error if the program could not
// be started (*StartError) or the connections could not be watched at all; then
// the program was not started. ctx is for the looks; signals end no run, they are passed on.
func Run(ctx context.Context, o Options) (*Outcome, error) {
	runtime.LockOSThread() // ptrace(2) wants one thread for a traced process
	defer runtime.UnlockOSThread()
	// Orphans of the program are to be ours, not init's: so they are still in the tree.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become a child subreaper: %w", err)
	}
	w := o.Witness
	if w == nil {
		w = NewPolling(TraceSuspects)
	}
	if err := w.Begin(ctx, os.Getpid()); err != nil {
		return nil, err
	}
	defer w.Close() // what it saw is told already
	r := &run{options: o, witness: w, ledger: newLedger(o.grace()), started: time.Now()}
	p, err := start(o)
	if err != nil {
		return nil, err
	}
	r.program = p
	defer p.signals.stop()
	if t, ok := w.(stopHandler); ok {
		t.Started(p.pid)
	}
	r.watch(ctx)
	r.linger(ctx)
	return r.outcome(), nil
}

// run is one Run under way.
type run struct {
	options   Options
	witness   Witness
	program   *program
	ledger    *ledger
	started   time.Time
	took      time.Duration
	pace      pace
	processes []Process // that the last look found
	failed    error     // of the last look
	// childless: of all that the program started nothing is left.
	childless bool
}

// watch looks until the program has ended, and once more then.
func (r *run) watch(ctx context.Context) {
	r.pace.begin(time.Now())
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !r.program.ended {
		select {
		case <-r.program.signals.child:
			r.children(ctx)
		case s := <-r.program.signals.came:
			r.look(ctx) // it may be the last moment
			r.program.pass(s)
		case <-timer.C:
			r.children(ctx) // a traced one must never wait for long
			if r.program.ended {
				continue
			}
			r.look(ctx)
			timer.Reset(r.pace.next(time.Now()))
		}
	}
	r.took = time.Since(r.started)
	r.look(ctx)
}

func (r *run) look(ctx context.Context) {
	begun := processorTime()
	seen, err := r.witness.Look(ctx)
	r.pace.spend(processorTime() - begun)
	if r.failed = err; err != nil {
		return
	}
	r.ledger.add(seen)
	r.processes = seen.Processes
}

// stopHandler is a witness that traces processes.
type stopHandler interface {
	Started(pid int)
	Stopped(tid int, status unix.WaitStatus) (leaving bool)
	Leave(tid int)
}

// children takes in what has become of our children: the program, orphans of it,
// and what is traced. Nobody else in this process waits for any.
func (r *run) children(ctx context.Context) {
	tracer, _ := r.witness.(stopHandler)
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG|unix.WALL, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil || pid <= 0:
			r.childless = errors.Is(err, unix.ECHILD)
			return
		case status.Stopped():
			if tracer != nil && tracer.Stopped(pid, status) {
				r.look(ctx)
				tracer.Leave(pid)
			}
		case pid == r.program.pid:
			r.program.end(status)
		}
	}
}

// processorTime is what this process has used of all processors.
func processorTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// survivors are the processes that still run.
func (r *run) survivors() []Process {
	var alive []Process
	for _, p := range r.processes {
		if !p.Ended && p.PID != r.program.pid && r.witness.Alive(p) {
			alive = append(alive, p)
		}
	}
	return alive
}

// linger watches processes that outlived the program: for the grace period, in which
// they may open what they leak, and what is half-closed then for the grace period too, for
// they may be about to close it. Any signal to end cuts it short.
func (r *run) linger(ctx context.Context) {
	grace := r.options.grace()
	begun := time.Now()
	tell := begun.Add(noticeable)
	deadline := begun.Add(2*grace + grace/10 + 100*time.Millisecond)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		r.children(ctx)
		now := time.Now()
		if r.childless || now.After(deadline) || now.After(begun.Add(grace)) && !r.ledger.pending() {
			break
		}
		if alive := r.survivors(); len(alive) > 0 && now.After(tell) && r.options.Waiting != nil {
			r.options.Waiting(len(alive), time.Until(deadline).Round(100*time.Millisecond))
			tell = deadline
		}
		select {
		case <-r.program.signals.came:
			return
		case <-r.program.signals.child:
		case <-timer.C:
			r.look(ctx)
			timer.Reset(max(r.pace.next(time.Now()), lingering))
		}
	}
	r.look(ctx) // also of those that ended last
}

// noticeable is how long survivors are watched before that is said: most are about to
// end.
const noticeable = 200 * time.Millisecond

// lingering is how often survivors are looked at: there is no hurry.
const lingering = 20 * time.Millisecond

func (r *run) outcome() *Outcome {
	o := &Outcome{
		Command: r.options.Command, StartedAt: r.started, Took: r.took, Exit: r.program.exit,
		Grace: r.options.grace(), MaxStuck: r.options.MaxStuck, Peak: r.ledger.peak,
		Witness: r.witness.Describe(), Report: r.ledger.report(), Unseen: r.ledger.unseen(),
	}
	o.Stuck, o.Died, o.Inferred = r.ledger.totals()
	o.Witness.Exact = o.Witness.Exact && o.Inferred == 0
	if r.failed != nil {
		o.Witness.Blind = append(o.Witness.Blind, "what was left at the end: "+r.failed.Error())
	}
	held := r.ledger.openByPID()
	for _, p := range r.survivors() {
		o.Survivors = append(o.Survivors, Survivor{PID: p.PID, HalfClosed: held[p.PID]})
	}
	return o
}
