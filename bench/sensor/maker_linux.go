package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// maker is the process that makes the traffic; it ends with this one.
type maker struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startMaker(ctx context.Context) (*maker, error) {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", trafficWord)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the traffic in a network namespace of its own: %w", err)
	}
	m := &maker{cmd: cmd, in: in, out: bufio.NewReader(out)}
	if line, err := m.out.ReadString('\n'); line != "ready\n" {
		m.in.Close()
		return nil, fmt.Errorf("the traffic did not start: %w, %w", err, cmd.Wait())
	}
	return m, nil
}

func (m *maker) close() error {
	m.in.Close()
	return m.cmd.Wait()
}

// do has it make traffic, and returns how many there were and what each took of the
// processor.
func (m *maker) do(kind string, n int) (done int, each time.Duration, err error) {
	if _, err := fmt.Fprintln(m.in, kind, n); err != nil {
		return 0, 0, fmt.Errorf("the traffic ended: %w", err)
	}
	var ns, wall int64
	if _, err := fmt.Fscanln(m.out, &done, &ns, &wall); err != nil {
		return 0, 0, fmt.Errorf("the traffic ended: %w", err)
	}
	return done, time.Duration(float64(ns) / float64(max(done, 1))), nil
}
