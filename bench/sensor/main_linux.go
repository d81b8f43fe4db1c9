package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
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
	os.Exit(bounded(os.Args[1:]))
}

// bounded runs until it is done or told to stop.
func bounded(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, args, os.Stdout, os.Stderr)
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

// longest bounds the whole measurement, whatever hangs.
const longest = 10 * time.Minute

// options are the flags.
type options struct {
	rounds int
	each   time.Duration
	held   int
	short  bool
	json   bool
	check  bool
	rivals bool
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("bench/sensor", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.IntVar(&o.rounds, "rounds", 150, "how often everything is timed")
	fs.DurationVar(&o.each, "each", 25*time.Millisecond, "for how long, each time")
	fs.IntVar(&o.held, "held", 8000, "how many connections to measure memory with")
	fs.BoolVar(&o.short, "short", false, "1 round, few connections, no verdict: does it work")
	fs.BoolVar(&o.json, "json", false, "write the result as JSON")
	fs.BoolVar(&o.check, "check", false, "exit with status 1 if a bound does not hold")
	fs.BoolVar(&o.rivals, "rivals", true, "measure tcplife and tcpstates too, where they are installed")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("no argument is wanted, and %q is one", fs.Arg(0))
	case o.rounds < 1 || o.rounds > 1000:
		return o, errors.New("-rounds must be 1 to 1000")
	case o.each < 10*time.Millisecond || o.each > time.Minute:
		return o, errors.New("-each must be 10ms to 1m")
	case o.held < 100 || o.held > 9000:
		return o, errors.New("-held must be 100 to 9000: a process has that many descriptors")
	}
	if o.short {
		o.rounds, o.each, o.held = 1, 30*time.Millisecond, 500
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		fmt.Fprintf(stderr, "bench/sensor: %v\n", err)
		return 2
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	r, err := measure(ctx, o, stderr)
	if err == nil {
		err = write(stdout, r, o.json)
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench/sensor: %v\n", err)
		return 3
	}
	if o.check && slices.ContainsFunc(r.Bounds, func(b bound) bool { return !b.Holds }) {
		return 1
	}
	return 0
}

func write(w io.Writer, r *result, asJSON bool) error {
	if !asJSON {
		return table(w, r)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
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
	r = &result{Machine: thisMachine(), Rounds: o.rounds, Losses: c.losses()}
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
