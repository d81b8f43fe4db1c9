package misbehave

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// actor is one child process that does what a script says.
type actor struct {
	name string // "culprit" or "peer", for errors
	cmd  *exec.Cmd
	ctl  *control
	peer bool
}

func (a *actor) pid() int { return a.cmd.Process.Pid }

// hire starts an actor in the spec's namespace.
func hire(s Spec, name, title string, far *os.File) (*actor, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a control socket: %w", err)
	}
	theirs := os.NewFile(uintptr(ends[1]), "control")
	defer theirs.Close()
	a := &actor{name: name, ctl: newControl(ends[0]), cmd: &exec.Cmd{
		Path:       ownPath(),
		Args:       []string{title},
		Env:        environ(rolePuppet),
		Stderr:     os.Stderr,
		ExtraFiles: []*os.File{far, theirs}, // leashFD, controlFD
		// Its own process group: an interrupt from the terminal is for the one who
		// started it, and who stops it.
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}}
	if s.PIDNS {
		a.cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWPID
	}
	if err := inNetNS(s.NetNS, a.cmd.Start); err != nil {
		a.ctl.close()
		return nil, fmt.Errorf("start the %s: %w", name, err)
	}
	return a, nil
}

// inNetNS runs start on a thread that is in the namespace; a child forked there
// is in it with all its threads.
func inNetNS(path string, start func() error) error {
	if path == "" {
		return start()
	}
	there, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open network namespace %s: %w", path, err)
	}
	defer unix.Close(there)
	runtime.LockOSThread()
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer unix.Close(home)
	if err := unix.Setns(there, unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		if errors.Is(err, unix.EPERM) {
			err = errors.Join(err, ErrPrivilege)
		}
		return fmt.Errorf("enter network namespace %s: %w", path, err)
	}
	err = start()
	if back := unix.Setns(home, unix.CLONE_NEWNET); back != nil {
		// The thread stays locked, so that the runtime ends it with its goroutine.
		return errors.Join(err, fmt.Errorf("leave network namespace %s: %w", path, back))
	}
	runtime.UnlockOSThread()
	return err
}

// do sends one order and waits for its answer.
func (a *actor) do(o order, fds ...int) (answer, error) {
	var got answer
	err := a.ctl.send(o, fds...)
	if err == nil {
		err = a.ctl.receive(&got)
	}
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET):
		return got, fmt.Errorf("the %s (pid %d) is gone: does main or TestMain call misbehave.Child first?", a.name, a.pid())
	case err != nil:
		return got, fmt.Errorf("%s: %w", a.name, err)
	case got.Unsupported:
		return got, fmt.Errorf("%s: %s: %w", a.name, got.Error, ErrUnsupported)
	case got.Denied:
		return got, fmt.Errorf("%s: %s: %w", a.name, got.Error, ErrPrivilege)
	case got.Error != "":
		return got, fmt.Errorf("%s: %s", a.name, got.Error)
	}
	return got, nil
}

// dismiss kills the process and waits for it.
func (a *actor) dismiss() {
	_ = a.cmd.Process.Kill()
	_ = a.cmd.Wait()
	a.ctl.close()
}
