package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/closewait/closewait/internal/figure"
	"github.com/closewait/closewait/internal/kernel/sensor"
)

// contestant is something that runs while traffic is timed.
type contestant struct {
	name  string
	start func(context.Context) (stop func() error, err error)
	// seldom it runs, since its start takes long.
	seldom bool
}

const (
	nothingName = "nothing"
	idleName    = "idle programs"
	sensorName  = "the sensor"
	againName   = "nothing, again"
)

func nothing(context.Context) (func() error, error) { return func() error { return nil }, nil }

// place is where the kernel put a sensor's programs, which is worth a percent or two
// of the traffic: every so often they get another.
type place struct {
	sensor *sensor.Sensor
	left   int
}

// starts is how often a sensor is started before its place is changed.
const starts = seldom * len(kinds)

func (p *place) start(context.Context) (stop func() error, err error) {
	if p.left == 0 {
		if err := p.leave(); err != nil {
			return nil, err
		}
		if p.sensor, err = sensor.Load(); err != nil {
			return nil, err
		}
		p.left = starts - 1
		return p.sensor.Pause, nil
	}
	p.left--
	return p.sensor.Pause, p.sensor.Resume()
}

func (p *place) leave() error {
	if p.sensor == nil {
		return nil
	}
	return p.sensor.Close()
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
		start := func(ctx context.Context) (func() error, error) { return tool(ctx, path) }
		all = append(all, contestant{name: name, start: start, seldom: true})
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
	// took is the time of one connection or message, by kind, contestant and round;
	// 0 where a contestant did not take part.
	took [len(kinds)][][]time.Duration
}

// seldom is in how many rounds a seldom contestant takes part once.
const seldom = 10

func (c *contest) hold(ctx context.Context, rounds int) error {
	order := make([]int, len(c.contestants))
	for i := range order {
		order[i] = i
	}
	for k := range kinds {
		c.took[k] = make([][]time.Duration, len(c.contestants))
		for i := range order {
			c.took[k][i] = make([]time.Duration, rounds)
		}
	}
	for r := range rounds {
		for k := range kinds {
			for _, i := range order {
				if c.contestants[i].seldom && r%seldom != 0 {
					continue
				}
				var err error
				if c.took[k][i][r], err = c.time(ctx, kinds[k], c.contestants[i]); err != nil {
					return fmt.Errorf("%s: %w", c.contestants[i].name, err)
				}
			}
		}
		slices.Reverse(order) // nobody gains by who came before
		if r%seldom == 0 {
			fmt.Fprint(c.progress, ".")
		}
	}
	fmt.Fprintln(c.progress)
	return nil
}

func (c *contest) time(ctx context.Context, kind string, one contestant) (each time.Duration, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	stop, err := one.start(ctx)
	if err != nil {
		return 0, err
	}
	aside := c.each / 4
	defer func() {
		err = errors.Join(err, stop())
		// What it left to do, freeing memory above all, is not the next one's cost.
		time.Sleep(aside)
	}()
	// A little first, unmeasured: what was attached has patched the kernel's code.
	if _, _, err := c.maker.do(kind, int(aside.Milliseconds())); err != nil {
		return 0, err
	}
	_, each, err = c.maker.do(kind, int(c.each.Milliseconds()))
	return each, err
}

// losses are each contestant's, beside nothing in the same round: before the sensor
// and after it.
func (c *contest) losses() (all []loss) {
	const first = 0
	again := slices.IndexFunc(c.contestants, func(one contestant) bool { return one.name == againName })
	for k, kind := range kinds {
		base := c.took[k][first]
		for i, one := range c.contestants {
			if i == first {
				continue
			}
			var percents, nanos []float64
			for r, took := range c.took[k][i] {
				if took == 0 {
					continue
				}
				without := float64(base[r])
				if i != again {
					without = (without + float64(c.took[k][again][r])) / 2
				}
				percents = append(percents, 100*(1-without/float64(took)))
				nanos = append(nanos, float64(took)-without)
			}
			all = append(all, loss{
				Traffic: kind, With: one.name, Rounds: len(nanos),
				Percent: figure.SpreadOf(percents), ExtraNS: figure.SpreadOf(nanos), BaseNS: figure.SpreadOf(floats(base)),
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
