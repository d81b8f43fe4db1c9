package gate

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// program is the process that was asked for.
type program struct {
	pid     int
	process *os.Process
	signals *signals
	ended   bool
	exit    Exit // once it has ended
}

// start runs the program in the same process group and session, with the same
// terminal: what is typed there, Ctrl-C and Ctrl-Z too, reaches it as if it had
// been started alone.
func start(o Options) (*program, error) {
	cmd := exec.Command(o.Command[0], o.Command[1:]...)
	for _, f := range []struct {
		file *os.File
		set  func(*os.File)
	}{
		{o.Stdin, func(f *os.File) { cmd.Stdin = f }},
		{o.Stdout, func(f *os.File) { cmd.Stdout = f }},
		{o.Stderr, func(f *os.File) { cmd.Stderr = f }},
	} {
		if f.file != nil {
			f.set(f.file)
		}
	}
	s := catch() // first: a signal must not end us between
	if err := cmd.Start(); err != nil {
		s.stop()
		return nil, startError(err)
	}
	// It is not waited for here, but together with all that may become our child.
	return &program{pid: cmd.Process.Pid, process: cmd.Process, signals: s}, nil
}

func startError(err error) error {
	e := &StartError{Status: StatusNotExec, Err: err}
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		e.Status = StatusNotFound
	}
	return e
}

// end notes how it ended.
func (p *program) end(status unix.WaitStatus) {
	p.ended = true
	if !status.Signaled() {
		p.exit = Exit{Code: status.ExitStatus()}
		return
	}
	p.exit = Exit{Code: -1, Signal: unix.SignalName(status.Signal()), number: int(status.Signal())}
	if p.exit.Signal == "" {
		p.exit.Signal = status.Signal().String() // a real-time signal
	}
}

// pass hands a signal on, unless the program has had it already: what is typed at
// a terminal goes to every process of the foreground group, and so to both.
func (p *program) pass(s os.Signal) {
	if typed(s) && foreground() {
		return
	}
	_ = p.process.Signal(s) // it may have ended meanwhile
}
