package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/cilium/ebpf"

	"github.com/closewait/closewait/internal/kernel/sensor"
)

// program is what the kernel says that one of the sensor's programs took. The
// kernel's reading of the clock, twice a run, is in the figure: see measuring.
type program struct {
	Traffic string  `json:"traffic"`
	Name    string  `json:"name"`
	PerOp   float64 `json:"runs_per_op"`
	NS      float64 `json:"ns_per_run"`
}

// cost has the kernel measure the sensor's programs (BPF_ENABLE_STATS).
func cost(m *maker, each time.Duration) (all []program, perConnection, perRecv float64, err error) {
	s, err := sensor.Load()
	if err != nil {
		return nil, 0, 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	stats, err := ebpf.EnableStats(0) // BPF_STATS_RUN_TIME
	if err != nil {
		return nil, 0, 0, fmt.Errorf("have the kernel measure: %w", err)
	}
	defer stats.Close()
	for _, kind := range kinds {
		before, err := s.Status()
		if err != nil {
			return nil, 0, 0, err
		}
		done, _, err := m.do(kind, int(each.Milliseconds()))
		if err != nil {
			return nil, 0, 0, err
		}
		after, err := s.Status()
		if err != nil {
			return nil, 0, 0, err
		}
		total := 0.0
		for i, p := range after.Programs {
			runs, took := float64(p.Runs-before.Programs[i].Runs), float64(p.Time-before.Programs[i].Time)
			total += took
			all = append(all, program{kind, p.Name, runs / float64(done), took / max(runs, 1)})
		}
		switch kind {
		case churn:
			perConnection = total / float64(done)
		case messages:
			perRecv = total / float64(done) / 2 // one recv at each end
		}
	}
	return all, perConnection, perRecv, nil
}

// measuring is what the kernel says that a program takes which does nothing: that
// much of every figure is the measuring itself.
func measuring(m *maker, each time.Duration) (perRun float64, err error) {
	d, err := doNothing("sock_recv_length")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	stats, err := ebpf.EnableStats(0) // BPF_STATS_RUN_TIME
	if err != nil {
		return 0, fmt.Errorf("have the kernel measure: %w", err)
	}
	defer stats.Close()
	if _, _, err := m.do(messages, int(each.Milliseconds())); err != nil {
		return 0, err
	}
	took, err := d.program.Stats()
	if err != nil {
		return 0, err
	}
	return float64(took.Runtime) / float64(max(took.RunCount, 1)), nil
}

// footprint is the memory of tracked sockets.
type footprint struct {
	Sockets int     `json:"sockets"`
	Each    float64 `json:"bytes_each"`
	// Maps is what the sensor has besides, however many sockets there are.
	Maps uint64 `json:"map_bytes"`
}

// memory opens connections without the sensor and with it, and compares what the
// kernel's general caches grew by. Both ends of each connection are tracked.
func memory(m *maker, connections int) (f footprint, err error) {
	without, err := growth(m, connections)
	if err != nil {
		return f, err
	}
	s, err := sensor.Load()
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	with, err := growth(m, connections)
	if err != nil {
		return f, err
	}
	st, err := s.Status()
	if err != nil {
		return f, err
	}
	f.Sockets = int(st.Outbound + st.Inbound)
	if f.Sockets < 2*connections {
		return f, fmt.Errorf("%d sockets are tracked of %d connections", f.Sockets, connections)
	}
	return footprint{Sockets: 2 * connections, Each: float64(with-without) / float64(2*connections), Maps: st.MapBytes}, nil
}

func growth(m *maker, connections int) (int64, error) {
	before, err := slabs()
	if err != nil {
		return 0, err
	}
	if _, _, err := m.do(hold, connections); err != nil {
		return 0, err
	}
	after, err := slabs()
	if err != nil {
		return 0, err
	}
	_, _, err = m.do(drop, 0)
	return after - before, err
}

// slabs adds up the objects in use of the kmalloc caches (slabinfo(5)).
func slabs() (bytes int64, err error) {
	text, err := os.ReadFile("/proc/slabinfo")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasPrefix(f[0], "kmalloc-") {
			continue
		}
		objects, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return 0, err
		}
		size, err := strconv.ParseInt(f[3], 10, 64)
		if err != nil {
			return 0, err
		}
		bytes += objects * size
	}
	return bytes, nil
}
