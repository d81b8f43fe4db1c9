package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/closewait/closewait/internal/kernel/sensor"
)

// contestant is something that runs while traffic is timed.
type contestant struct {
	name  string
	start func(context.Context) (stop func() error, err error)
}

const (
	nothingName = "nothing"
	againName   = "nothing, again"
	sensorName  = "the sensor"
)

func nothing(context.Context) (func() error, error) { return func() error { return nil }, nil }

func withSensor(context.Context) (func() error, error) {
	s, err := sensor.Load()
	if err != nil {
		return nil, err
	}
	return s.Close, nil
}

const tcplifeName = "tcplife"

// rivals are the tools of libbpf-tools that are installed.
func rivals(progress io.Writer) (all []contestant) {
	for _, name := range []string{tcplifeName, "tcpstates"} {
		path, err := exec.LookPath(name)
		if err != nil {
			fmt.Fprintf(progress, "without %s: %v (install libbpf-tools)\n", name, err)
			continue
		}
		all = append(all, contestant{name, func(ctx context.Context) (func() error, error) { return tool(ctx, path) }})
	}
	return all
}

// tool starts a program that prints what it sees, and waits until it sees.
func tool(ctx context.Context, path string) (stop func() error, err error) {
	cmd := exec.CommandContext(ctx, path)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() error {
		err := cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // how it ends is its own affair
		return err
	}
	// It is ready when the number of its attached programs no longer grows.
	const calm = 200 * time.Millisecond
	attached, since := 0, time.Now()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if n := attachments(cmd.Process.Pid); n != attached {
			attached, since = n, time.Now()
		}
		if attached > 0 && time.Since(since) > calm {
			return stop, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("%s does not start to trace", path), stop())
}

func attachments(pid int) (n int) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		to, _ := os.Readlink(filepath.Join(dir, e.Name()))
		if strings.Contains(to, "bpf_link") || strings.Contains(to, "perf_event") {
			n++
		}
	}
	return n
}

// kinds of traffic that are timed.
var kinds = [...]string{churn, messages, alone}

// contest times the contestants in turn.
type contest struct {
	maker       *maker
	contestants []contestant
	each        time.Duration
	progress    io.Writer
	// took is the time of one connection or message, by kind, contestant and round.
	took [len(kinds)][][]time.Duration
}

func (c *contest) hold(ctx context.Context, rounds int) error {
	for k := range kinds {
		c.took[k] = make([][]time.Duration, len(c.contestants))
	}
	for range rounds {
		for i, one := range c.contestants {
			if err := c.time(ctx, i); err != nil {
				return fmt.Errorf("%s: %w", one.name, err)
			}
		}
		fmt.Fprint(c.progress, ".")
	}
	fmt.Fprintln(c.progress)
	return nil
}

func (c *contest) time(ctx context.Context, i int) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	stop, err := c.contestants[i].start(ctx)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, stop())
		// What it left to do, freeing memory above all, is not the next one's cost.
		time.Sleep(c.each)
	}()
	for k, kind := range kinds {
		// A little first, unmeasured: what was attached has patched the kernel's code.
		if _, _, err := c.maker.do(kind, int(c.each.Milliseconds()/3)); err != nil {
			return err
		}
		_, each, err := c.maker.do(kind, int(c.each.Milliseconds()))
		if err != nil {
			return err
		}
		c.took[k][i] = append(c.took[k][i], each)
	}
	return nil
}

// losses are each contestant's, beside nothing in the same round: before the sensor
// and after it.
func (c *contest) losses() (all []loss) {
	const first, again = 0, 2
	for k, kind := range kinds {
		base := c.took[k][first]
		for i, one := range c.contestants {
			if i == first {
				continue
			}
			var percents, nanos []float64
			for r, took := range c.took[k][i] {
				without := float64(base[r])
				if i != again {
					without = (without + float64(c.took[k][again][r])) / 2
				}
				percents = append(percents, 100*(1-without/float64(took)))
				nanos = append(nanos, float64(took)-without)
			}
			all = append(all, loss{
				Traffic: kind, With: one.name, Percent: spreadOf(percents), ExtraNS: spreadOf(nanos), BaseNS: spreadOf(floats(base)),
			})
		}
	}
	return all
}

func floats(ds []time.Duration) (out []float64) {
	for _, d := range ds {
		out = append(out, float64(d))
	}
	return out
}
