package gate

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// signals are those that reach us: came is for the program, and child says that
// something has become of a child.
type signals struct{ came, child chan os.Signal }

// forwarded end or instruct a program. Stopping and going on is not among them:
// where a terminal or a shell does that, it does it to the whole process group.
var forwarded = [...]os.Signal{
	syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2,
}

// catch begins to catch signals. One that is ignored stays so, for the program
// too (nohup).
func catch() *signals {
	s := &signals{came: make(chan os.Signal, 16), child: make(chan os.Signal, 1)}
	signal.Notify(s.child, syscall.SIGCHLD)
	for _, sig := range forwarded {
		if !signal.Ignored(sig) {
			signal.Notify(s.came, sig)
		}
	}
	return s
}

func (s *signals) stop() {
	signal.Stop(s.came)
	signal.Stop(s.child)
}

// typed reports whether a terminal sends the signal, to all at once.
func typed(s os.Signal) bool {
	return s == syscall.SIGINT || s == syscall.SIGQUIT || s == syscall.SIGHUP
}

// foreground reports whether our process group is the terminal's foreground one.
func foreground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false // no terminal
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
