package sensor

import (
	"context"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
)

// Status is what a sensor has done so far.
type Status struct {
	// Since is when it was started, from boot (CLOCK_BOOTTIME).
	Since  time.Duration
	Pinned bool
	Tally
	// Missing are tracepoints that this kernel does not have: without
	// sock_recv_length (before Linux 6.3) reads that return zero are not seen, but
	// for those by splice.
	Missing []string
	// Skipped counts, for each program, calls that came while it was already
	// running on that processor, which the kernel then leaves out.
	Skipped map[string]uint64
	// MapBytes is the kernel's memory for the sensor's maps, without the histories,
	// which are some 320 bytes a connection.
	MapBytes uint64
	// Programs are the running costs, in the order of their names; zero where the
	// kernel was not measuring (see Cost).
	Programs []ProgramCost
}

// ProgramCost is how often a program ran and for how long, as far as the kernel
// was told to measure (kernel.bpf_stats_enabled, or Cost).
type ProgramCost struct {
	Name string
	Runs uint64
	Time time.Duration
}

// SkippedEnds are those of Skipped that may have hidden how a connection ended; the
// others hide reads.
func (s *Status) SkippedEnds() (n uint64) {
	for program, calls := range s.Skipped {
		if program != traceProgRecvLength && program != traceProgSpaceAdjust {
			n += calls
		}
	}
	return n
}

// Status reads it.
func (s *Sensor) Status() (Status, error) {
	st := Status{Pinned: s.Pinned(), Skipped: map[string]uint64{}}
	var c traceControl
	if err := s.set.maps[traceMapControl].Lookup(uint32(0), &c); err != nil {
		return st, fmt.Errorf("read the sensor's status: %w", err)
	}
	st.Since = time.Duration(c.StartedUs) * time.Microsecond
	for i, t := range tracepoints {
		if c.Missing>>i&1 != 0 {
			st.Missing = append(st.Missing, t.tracepoint)
		}
	}
	var each []traceTally
	if err := s.set.maps[traceMapTallies].Lookup(uint32(0), &each); err != nil {
		return st, fmt.Errorf("read the sensor's status: %w", err)
	}
	for i := range each {
		st.Tally.add(&each[i])
	}
	for _, m := range s.set.maps {
		info, err := m.Info()
		if err != nil {
			return st, fmt.Errorf("read the sensor's status: %w", err)
		}
		if n, ok := info.Memlock(); ok {
			st.MapBytes += n
		}
	}
	var err error
	st.Programs, err = s.costs(st.Skipped)
	return st, err
}

func (t *Tally) add(one *traceTally) {
	t.Outbound += one.Outbound
	t.Inbound += one.Inbound
	t.Older += one.Older
	t.FINs += one.Fins
	t.Zeros += one.Zeros
	t.Resets += one.Resets
	t.Ends += one.Ends
	t.Held += one.Held
	t.Stacks += one.Stacks
	t.LostHistories += one.LostHistory
	t.LostUnwinds += one.LostUnwind
	t.LostStacks += one.LostStack
	t.LostNested += one.LostNested
	for i, n := range one.LostEvent {
		t.LostEvents[i] += n
	}
}

func (s *Sensor) costs(skipped map[string]uint64) ([]ProgramCost, error) {
	var all []ProgramCost
	for _, t := range tracepoints {
		p := s.set.programs[t.program]
		if p == nil {
			continue
		}
		stats, err := p.Stats()
		if err != nil {
			return nil, fmt.Errorf("read what %s costs: %w", t.program, err)
		}
		if stats.RecursionMisses > 0 {
			skipped[t.program] = stats.RecursionMisses
		}
		all = append(all, ProgramCost{Name: t.program, Runs: stats.RunCount, Time: stats.Runtime})
	}
	return all, nil
}

// Cost has the kernel measure for a while, or until ctx ends, what each program
// costs, and says for how long it did. It needs CAP_SYS_ADMIN, and slows every BPF
// program of the host down by some 20 ns a run meanwhile.
func (s *Sensor) Cost(ctx context.Context, during time.Duration) ([]ProgramCost, time.Duration, error) {
	measuring, err := ebpf.EnableStats(uint32(bpfStatsRunTime))
	if err != nil {
		return nil, 0, fmt.Errorf("have the kernel measure BPF programs (needs CAP_SYS_ADMIN): %w", err)
	}
	defer measuring.Close()
	skipped := map[string]uint64{}
	before, err := s.costs(skipped)
	if err != nil {
		return nil, 0, err
	}
	begun := time.Now()
	timer := time.NewTimer(during)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	after, err := s.costs(skipped)
	if err != nil {
		return nil, 0, err
	}
	for i := range after {
		after[i].Runs -= before[i].Runs
		after[i].Time -= before[i].Time
	}
	return after, time.Since(begun), nil
}

// bpfStatsRunTime is BPF_STATS_RUN_TIME of include/uapi/linux/bpf.h.
const bpfStatsRunTime = 0
