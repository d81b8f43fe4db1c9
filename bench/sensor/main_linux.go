package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/closewait/closewait/internal/figure"
)

func main() {
	if len(os.Args) == 2 {
		if ours, err := playPart(os.Args[1]); ours {
			if err != nil {
				fmt.Fprintf(os.Stderr, "bench/sensor: %s: %v\n", os.Args[1], err)
				os.Exit(3)
			}
			return
		}
	}
	os.Exit(command().Run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// playPart runs this process as one of those that the measurement starts.
func playPart(word string) (ours bool, err error) {
	switch word {
	case trafficWord:
		return true, runTraffic(os.Stdin, os.Stdout)
	case closerWord, answererWord:
		return true, runServer(word, os.Stdout)
	}
	return false, nil
}

// options are the flags.
type options struct {
	rounds int
	each   time.Duration
	held   int
	short  bool
	rivals bool
}

func command() *figure.Command {
	o := &options{}
	return &figure.Command{
		Name: "bench/sensor", Parse: o.parse, Longest: 10 * time.Minute,
		Measure: func(ctx context.Context, progress io.Writer) (figure.Result, error) {
			return measure(ctx, *o, progress)
		},
	}
}

func (o *options) parse(fs *flag.FlagSet, args []string) error {
	fs.IntVar(&o.rounds, "rounds", 150, "how often everything is timed")
	fs.DurationVar(&o.each, "each", 25*time.Millisecond, "for how long, each time")
	fs.IntVar(&o.held, "held", 8000, "how many connections to measure memory with")
	fs.BoolVar(&o.short, "short", false, "1 round, few connections, no verdict: does it work")
	fs.BoolVar(&o.rivals, "rivals", true, "measure tcplife and tcpstates too, where they are installed")
	if err := fs.Parse(args); err != nil {
		return err
	}
	switch {
	case o.rounds < 1 || o.rounds > 1000:
		return errors.New("-rounds must be 1 to 1000")
	case o.each < 10*time.Millisecond || o.each > time.Minute:
		return errors.New("-each must be 10ms to 1m")
	case o.held < 100 || o.held > 9000:
		return errors.New("-held must be 100 to 9000: a process has that many descriptors")
	}
	if o.short {
		o.rounds, o.each, o.held = 1, 30*time.Millisecond, 500
	}
	return nil
}

// counting is for how long the kernel measures the programs.
func counting(o options) time.Duration {
	if o.short {
		return o.each
	}
	return 500 * time.Millisecond
}

// measure makes the traffic, with everything in turn.
func measure(ctx context.Context, o options, progress io.Writer) (r *result, err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("run it as root: it loads BPF programs and makes a network namespace")
	}
	m, err := startMaker(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	p := &place{}
	defer func() { err = errors.Join(err, p.leave()) }()
	all := []contestant{
		{name: nothingName, start: nothing}, {name: idleName, start: withIdlers},
		{name: sensorName, start: p.start}, {name: againName, start: nothing},
	}
	if o.rivals {
		all = append(all, rivals(progress)...)
	}
	c := &contest{maker: m, contestants: all, each: o.each, progress: progress}
	if err := c.hold(ctx, o.rounds); err != nil {
		return nil, err
	}
	r = &result{Machine: figure.ThisMachine(), Rounds: o.rounds, Losses: c.losses()}
	if r.Programs, r.PerConnection, r.PerRecv, err = cost(m, counting(o)); err != nil {
		return nil, err
	}
	if r.Measuring, err = measuring(m, counting(o)); err != nil {
		return nil, err
	}
	if r.Memory, err = memory(m, o.held); err != nil {
		return nil, err
	}
	if !o.short {
		r.Bounds = judge(r)
	}
	return r, nil
}
