package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/netns"
	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/testbed"
)

// stageWord, as the only argument, makes this binary a stage.
const stageWord = "stage"

// perWorker is how many connections one of the population's processes holds;
// a usual hard limit of descriptors is 20,000 or more.
const perWorker = 15_000

// stage is the process that has the population, and its network namespace.
type stage struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	netns *os.File
	id    uint64 // of its network namespace
	most  int
}

// openStage starts it, for most connections in the end.
func openStage(most int) (*stage, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &stage{cmd: exec.Command(self, stageWord), most: most}
	s.cmd.Stderr = os.Stderr
	// A process group of its own: an interrupt from the terminal is for this
	// process, whose end is the stage's.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Setpgid: true}
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the stage in a network namespace of its own: %w", err)
	}
	s.netns, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", s.cmd.Process.Pid))
	if err == nil {
		s.id, err = netns.Identify(s.netns)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// grow brings the population to n connections.
func (s *stage) grow(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	unhook := context.AfterFunc(ctx, func() { _ = s.in.Close() })
	defer unhook()
	if _, err := fmt.Fprintf(s.in, "%d %d\n", n, s.most); err != nil {
		return errors.Join(ctx.Err(), err)
	}
	answer, err := s.out.ReadString('\n')
	switch answer = strings.TrimSpace(answer); {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("the stage is gone: %w", err)
	case answer != stageReady:
		return errors.New(answer)
	}
	return nil
}

// inside runs fn on a thread in the stage's namespace; what it starts is there.
func (s *stage) inside(fn func() error) error { return netns.Do(s.netns, fn) }

// close ends the population and waits until it is gone.
func (s *stage) close() error {
	_ = s.in.Close()
	// Patience for a hundred thousand sockets, then by force: their own leashes
	// end the actors.
	late := time.AfterFunc(time.Minute, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	_, _ = io.Copy(io.Discard, s.out)
	err := s.cmd.Wait()
	if s.netns != nil {
		err = errors.Join(err, s.netns.Close())
	}
	if err != nil {
		return fmt.Errorf("end the stage: %w", err)
	}
	return nil
}

const stageReady = "ready"

// runStage is the stage's own side: each line of in is the wanted size and the
// final one; the end of in is its end.
func runStage(in io.Reader, out, stderr io.Writer) int {
	if err := testbed.LoopbackUp(); err != nil {
		fmt.Fprintf(stderr, "bench/scan: bring the loopback interface up: %v\n", err)
		return 1
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var p population
	// The end of in must be seen also while the population grows.
	lines := make(chan string)
	go func() {
		defer cancel()
		defer close(lines)
		for scanner := bufio.NewScanner(in); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	for line := range lines {
		answer := stageReady
		if err := p.obey(ctx, line); err != nil {
			answer = strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		if _, err := fmt.Fprintln(out, answer); err != nil {
			break
		}
	}
	if err := p.stop(); err != nil {
		fmt.Fprintf(stderr, "bench/scan: %v\n", err)
		return 1
	}
	return 0
}

// population is connections that one program of several processes has stuck in
// CLOSE_WAIT: the server closed, nobody reads the end.
type population struct {
	program *misbehave.Program
	size    int
}

// title is what the population's processes call themselves.
const title = "(bench:idle-pool)"

// stride is how many connections are made between two looks at the context.
const stride = 5000

func (p *population) obey(ctx context.Context, line string) error {
	first, second, _ := strings.Cut(line, " ")
	n, err := strconv.Atoi(first)
	if err != nil {
		return err
	}
	most, err := strconv.Atoi(second)
	if err != nil {
		return err
	}
	if p.program == nil {
		p.program, err = misbehave.Start(ctx, misbehave.Spec{
			Kind: misbehave.EOFUnread, Count: min(n, stride), Workers: (most + perWorker - 1) / perWorker, Title: title,
			// The server's side is over soon, and not measured.
			PeerLinger: time.Second,
		})
		if err != nil {
			return err
		}
		p.size = min(n, stride)
	}
	for p.size < n {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := min(n-p.size, stride)
		if err := p.program.More(part); err != nil {
			return err
		}
		p.size += part
	}
	return nil
}

func (p *population) stop() error {
	if p.program == nil {
		return nil
	}
	return p.program.Stop()
}
