package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Privileged reports whether this process may set a lab up by itself.
func Privileged() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	const needed = 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_NET_RAW
	return data[0].Effective&needed == needed
}

// Reenter makes up for missing privilege: it starts this program again, with
// the same arguments, as root of a new user namespace, waits for it, and returns
// its exit status. Where this process is Privileged, again is false and nothing
// happens. The program should call Reenter before it prints anything, and end
// with the status. A program that was started in this way ends with this
// process, however that ends; when ctx is done it is sent SIGTERM a second later.
func Reenter(ctx context.Context) (status int, again bool, err error) {
	if Privileged() {
		return 0, false, nil
	}
	if os.Getenv(roleVariable) == roleReenter {
		return 0, false, fmt.Errorf("%w: in a user namespace of its own, too, this process has no privileges%s", ErrUnavailable, hints())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), roleVariable+"="+roleReenter)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	// The signal of the parent's death follows this thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Ctrl-C reaches the other process as well: it ends, and this one tells its
	// status.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return 0, false, fmt.Errorf("%w: it needs root, or a user namespace, which could not be made (%w)%s", ErrUnavailable, err, hints())
	}
	over := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { terminate(cmd.Process, over) })
	defer stop()
	err = cmd.Wait()
	close(over)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if by, ok := exit.Sys().(syscall.WaitStatus); ok && by.Signaled() {
			return 128 + int(by.Signal()), true, nil // as shells have it
		}
		return exit.ExitCode(), true, nil
	}
	if err != nil {
		return 0, true, fmt.Errorf("wait for the lab: %w", err)
	}
	return 0, true, nil
}

// terminate ends a process that has not ended by itself soon, as after a Ctrl-C
// that reached it too: a second signal could cut its cleaning up short.
func terminate(p *os.Process, over <-chan struct{}) {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-over:
	case <-timer.C:
		_ = p.Signal(syscall.SIGTERM)
	}
}

// hints say which settings keep ordinary users from making user namespaces.
func hints() string {
	var found []string
	for _, s := range []struct{ path, forbids string }{
		{"user/max_user_namespaces", "0"},
		{"kernel/unprivileged_userns_clone", "0"},
		{"kernel/apparmor_restrict_unprivileged_userns", "1"},
	} {
		value, err := os.ReadFile("/proc/sys/" + s.path)
		if err == nil && strings.TrimSpace(string(value)) == s.forbids {
			found = append(found, strings.ReplaceAll(s.path, "/", ".")+" is "+s.forbids)
		}
	}
	if len(found) == 0 {
		return ": run it as root"
	}
	return ": " + strings.Join(found, ", ") + "; run it as root, or change that"
}

// unavailable says what is missing where the lab can not be set up.
func unavailable(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%w: %w%s", ErrUnavailable, err, hints())
	}
	return err
}
