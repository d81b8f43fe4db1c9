package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/closewait/closewait/internal/figure"
	"github.com/closewait/closewait/internal/misbehave"
)

func main() {
	misbehave.Child() // the population's programs are this binary, started again
	if len(os.Args) == 2 && os.Args[1] == stageWord {
		os.Exit(runStage(os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(command().Run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// options are the flags.
type options struct {
	sizes   sizes
	rounds  int
	short   bool
	readers string
	binary  string
}

// sizes is the flag of population sizes, in ascending order.
type sizes []int

func (s *sizes) String() string {
	parts := make([]string, len(*s))
	for i, n := range *s {
		parts[i] = strconv.Itoa(n)
	}
	return strings.Join(parts, ",")
}

// mostSockets is as many as one network namespace's ports and this machine's
// processes are sure to take.
const mostSockets = 500_000

func (s *sizes) Set(text string) error {
	*s = nil
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 1 || n > mostSockets {
			return fmt.Errorf("use numbers from 1 to %d with commas between", mostSockets)
		}
		*s = append(*s, n)
	}
	slices.Sort(*s)
	*s = slices.Compact(*s)
	return nil
}

func command() *figure.Command {
	o := &options{}
	return &figure.Command{
		Name: "bench/scan", Parse: o.parse, Longest: 30 * time.Minute,
		Measure: func(ctx context.Context, progress io.Writer) (figure.Result, error) {
			return measure(ctx, *o, progress)
		},
	}
}

func (o *options) parse(fs *flag.FlagSet, args []string) error {
	o.sizes = sizes{1000, 10_000, 100_000}
	fs.Var(&o.sizes, "n", "how many stuck connections to measure with")
	fs.IntVar(&o.rounds, "rounds", 7, "how often each command is timed")
	fs.BoolVar(&o.short, "short", false, "1,000 connections, 2 rounds, no waiting until they count as stuck, no verdict")
	fs.StringVar(&o.readers, "reader", "auto,procfs", "which readers of closewait to time; the bounds are those of the first")
	fs.StringVar(&o.binary, "closewait", "", "time this closewait `binary` (default: the working tree's, built first)")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if o.rounds < 1 {
		return errors.New("-rounds must be 1 or more")
	}
	if o.short {
		o.sizes, o.rounds = sizes{1000}, 2
	}
	return nil
}

// measure makes the populations and runs the rounds.
func measure(ctx context.Context, o options, progress io.Writer) (r *result, err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("run it as root: it makes a network namespace, and ss names no owners without")
	}
	ss, err := exec.LookPath("ss")
	if err != nil {
		return nil, fmt.Errorf("ss is what closewait is compared with: %w (install iproute2)", err)
	}
	binary := o.binary
	if binary == "" {
		dir, err := os.MkdirTemp("", "closewait-bench-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "closewait")
		fmt.Fprintln(progress, "building closewait")
		if err := build(ctx, binary); err != nil {
			return nil, err
		}
	}
	st, err := openStage(o.sizes[len(o.sizes)-1])
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	c := &contest{
		stage: st, contestants: contestants(binary, ss, strings.Split(o.readers, ","), st.id),
		rounds: o.rounds, young: o.short, progress: progress,
	}
	r = &result{Machine: thisMachine(ctx, ss), Rounds: o.rounds}
	for _, n := range append([]int{0}, o.sizes...) {
		p, err := c.hold(ctx, n)
		if err != nil {
			return nil, fmt.Errorf("with %d connections: %w", n, err)
		}
		r.Populations = append(r.Populations, p)
	}
	r.Growth, r.FloorMiB = growths(r.Populations), ownPeak()
	if !o.short {
		r.Bounds = judge(r.Populations)
	}
	return r, nil
}

// build makes the real binary, as go build does for a user.
func build(ctx context.Context, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", to, "github.com/closewait/closewait/cmd/closewait")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build closewait (run this inside its checkout, or name a binary by -closewait): %w: %s", err, out)
	}
	return nil
}
