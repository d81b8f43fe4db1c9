package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/sockdiag"
)

// host is one host, as its engine sees it: a namespace, the application in it,
// and who is asked about its sockets.
type host struct {
	warden *warden
	ns     *os.File
	name   string
	diag   *sockdiag.Conn
	// admin ends sockets.
	admin *netlink.Conn
	// tuned are the settings that were written last, by name.
	tuned map[string]int

	process *exec.Cmd
	channel channel
	last    answer
}

func newHost(w *warden, ns *os.File, name string) (h *host, err error) {
	h = &host{warden: w, ns: ns, name: name, tuned: map[string]int{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	// On the thread that is there already: in a user namespace a thread that came
	// from outside could not go back.
	err = w.do(ns, func() (err error) {
		if h.diag, err = sockdiag.Dial(0); err != nil {
			return err
		}
		if h.admin, err = netlink.Dial(unix.NETLINK_SOCK_DIAG, nil); err != nil {
			return fmt.Errorf("open a netlink socket: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := h.start(); err != nil {
		return nil, err
	}
	return h, nil
}

// close ends the application, and lets go of the namespace, but for its file.
func (h *host) close() error {
	if h.diag != nil {
		_ = h.diag.Close()
	}
	if h.admin != nil {
		_ = h.admin.Close()
	}
	return h.kill()
}

// start starts the application, in the host's namespace.
func (h *host) start() error {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make a channel: %w", err)
	}
	far := os.NewFile(uintptr(ends[1]), "channel")
	defer far.Close()
	tv := unix.NsecToTimeval(patience.Nanoseconds())
	if err := unix.SetsockoptTimeval(ends[0], unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		_ = unix.Close(ends[0])
		return fmt.Errorf("make a channel: %w", err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args[0] = "(lab:" + h.name + ")"
	cmd.Env = append(os.Environ(), roleVariable+"="+roleApp)
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{far} // becomes the descriptor orders
	// A session of its own: Ctrl-C is for the engine, which cleans up. Should the
	// engine be killed, the kernel kills the child with the thread that started it,
	// and the channel's end would tell it, too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err := h.warden.do(h.ns, cmd.Start); err != nil {
		_ = unix.Close(ends[0])
		return fmt.Errorf("start the application of a host: %w", err)
	}
	h.process, h.channel = cmd, channel{ends[0]}
	_, err = h.tell(order{Op: beginAgain}) // it is there
	return err
}

// tell gives an order and waits for its answer.
func (h *host) tell(o order) (answer, error) {
	var a answer
	err := h.channel.send(o)
	if err == nil {
		err = h.channel.receive(&a)
	}
	if err != nil {
		return a, fmt.Errorf("the application of host %s does not answer: %w", h.name, err)
	}
	h.last = a
	return a, nil
}

// kill ends the application as SIGKILL does, and waits until it is gone: the
// kernel has closed all its sockets then (do_exit: exit_files comes before
// exit_notify).
func (h *host) kill() error {
	if h.process == nil {
		return nil
	}
	cmd := h.process
	h.process, h.last = nil, answer{}
	_ = unix.Close(h.channel.fd)
	err := cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	if waited := cmd.Wait(); err == nil {
		if _, ok := errors.AsType[*exec.ExitError](waited); !ok && waited != nil {
			err = waited
		}
	}
	if err != nil {
		return fmt.Errorf("end the application of host %s: %w", h.name, err)
	}
	return nil
}
