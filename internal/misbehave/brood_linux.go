package misbehave

import (
	"errors"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

var errEnded = errors.New("the program ends")

// brood are the processes that a puppet forked itself, and reaps.
type brood struct {
	mu      sync.Mutex
	running map[int]bool
	ended   bool
	reaped  sync.WaitGroup
}

// fork starts one, unless the program is ending, and calls after when it is gone.
func (b *brood) fork(role string, argv []string, files []uintptr, after func()) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return 0, errEnded
	}
	pid, err := syscall.ForkExec(ownPath(), argv, &syscall.ProcAttr{Env: environ(role), Files: files})
	if err != nil {
		return 0, err
	}
	if b.running == nil {
		b.running = map[int]bool{}
	}
	b.running[pid] = true
	b.reaped.Go(func() {
		b.reap(pid)
		after()
	})
	return pid, nil
}

// reap waits for one. The first wait leaves the corpse, and with it the pid, so
// that end can not kill a process that was given the same number.
func (b *brood) reap(pid int) {
	for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
		continue
	}
	b.mu.Lock()
	delete(b.running, pid)
	b.mu.Unlock()
	_, _ = syscall.Wait4(pid, nil, 0, nil)
}

// end kills all of them and waits until they are reaped.
func (b *brood) end() {
	b.mu.Lock()
	b.ended = true
	for pid := range b.running {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	b.mu.Unlock()
	b.reaped.Wait()
}
