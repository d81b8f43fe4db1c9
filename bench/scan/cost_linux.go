package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// runWithin bounds one run of one command.
const runWithin = 2 * time.Minute

// spend runs a command in the stage's namespace, its output thrown away, and
// tells what it cost.
func (s *stage) spend(ctx context.Context, args []string) (spent cost, err error) {
	ctx, cancel := context.WithTimeout(ctx, runWithin)
	defer cancel()
	err = s.inside(func() error {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		begun := time.Now()
		err := cmd.Run()
		spent.wall = time.Since(begun)
		if err != nil {
			return failed(args, err)
		}
		spent.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		// getrusage(2): in KiB.
		spent.peakKiB = cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
		return nil
	})
	return spent, err
}

// see runs a command and gives what it prints to check. wrong is what check says.
func (s *stage) see(ctx context.Context, args []string, check func(io.Reader) error) (wrong, err error) {
	ctx, cancel := context.WithTimeout(ctx, runWithin)
	defer cancel()
	err = s.inside(func() error {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return failed(args, err)
		}
		wrong = check(out)
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			return failed(args, err)
		}
		return nil
	})
	return wrong, err
}

func failed(args []string, err error) error {
	return fmt.Errorf("run %s: %w", strings.Join(args, " "), err)
}

// ownPeak is this process's own peak memory in MiB.
func ownPeak() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Maxrss) / 1024
}
