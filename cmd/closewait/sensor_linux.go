package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/closewait/closewait/internal/kernel/clock"
	"github.com/closewait/closewait/internal/kernel/sensor"
	"github.com/closewait/closewait/internal/report"
)

const (
	defaultMeasure = time.Second
	maxMeasure     = time.Hour
)

func (s *sensorCommand) start() error {
	err := sensor.Start(s.pin)
	if errors.Is(err, sensor.ErrRunning) {
		fmt.Fprintln(s.out.w, "A sensor is running already: closewait sensor status says since when.")
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(s.out.w, "The sensor runs. What is older than it is shown with what the kernel's sockets tell, and marked so.\n"+
		"closewait uses it from now on; closewait sensor stop removes it.")
	return nil
}

func (s *sensorCommand) stop() error {
	readers := sensor.Readers(s.pin)
	err := sensor.Stop(s.pin)
	if errors.Is(err, sensor.ErrNotRunning) {
		fmt.Fprintln(s.out.w, "No sensor is running.")
		return nil
	}
	if err != nil {
		return err
	}
	switch readers {
	case 0:
		fmt.Fprintln(s.out.w, "The sensor is gone, and all it remembered.")
	case 1:
		fmt.Fprintln(s.out.w, "The sensor is stopped. One closewait (watch or run) still uses it, and keeps it until it ends.")
	default:
		fmt.Fprintf(s.out.w, "The sensor is stopped. %d closewaits (watch or run) still use it, and keep it until they end.\n", readers)
	}
	return nil
}

// sensorReport is what status writes as JSON.
type sensorReport struct {
	Running bool            `json:"running"`
	Since   *time.Time      `json:"since,omitempty"`
	Seen    map[string]any  `json:"seen,omitempty"`
	Lost    map[string]any  `json:"lost,omitempty"`
	Missing []string        `json:"missing,omitempty"`
	Memory  uint64          `json:"map_bytes,omitempty"`
	Cost    []programReport `json:"cost,omitempty"`
	OverS   float64         `json:"cost_measured_over_s,omitempty"`
}

type programReport struct {
	Name   string  `json:"name"`
	Runs   uint64  `json:"runs"`
	NS     float64 `json:"ns_per_run"`
	TotalS float64 `json:"total_s"`
}

func (s *sensorCommand) status(ctx context.Context) error {
	x, err := sensor.Open(s.pin)
	if errors.Is(err, sensor.ErrNotRunning) {
		return s.none()
	}
	if err != nil {
		return err
	}
	defer x.Close()
	var costs []sensor.ProgramCost
	var over time.Duration
	if s.measure.value > 0 {
		done := s.err.progress(patience, fmt.Sprintf("measuring for %v what it costs… (Ctrl-C: stop)", s.measure.value))
		costs, over, err = x.Cost(ctx, s.measure.value)
		done()
		if err != nil {
			fmt.Fprintf(s.err.w, "closewait: what it costs is not shown: %v\n", err)
		}
	}
	st, err := x.Status()
	if err != nil {
		return err
	}
	r := reportOf(&st, costs, over)
	if s.json {
		return report.JSONValue(s.out.w, r)
	}
	_, err = fmt.Fprint(s.out.w, sensorText(r, time.Now()))
	return err
}

func (s *sensorCommand) none() error {
	if s.json {
		if err := report.JSONValue(s.out.w, &sensorReport{}); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(s.out.w, "No sensor is running: closewait sensor start loads one.")
	}
	return &statusError{status: exitStuck}
}

func reportOf(st *sensor.Status, costs []sensor.ProgramCost, over time.Duration) *sensorReport {
	since := clock.Boot().Add(st.Since).Round(time.Millisecond)
	events := uint64(0)
	for _, n := range st.LostEvents {
		events += n
	}
	skipped := uint64(0)
	for _, n := range st.Skipped {
		skipped += n
	}
	r := &sensorReport{
		Running: true, Since: &since, Missing: st.Missing, Memory: st.MapBytes,
		Seen: map[string]any{
			"connections": st.Outbound + st.Inbound + st.Older, "outbound": st.Outbound, "inbound": st.Inbound, "older": st.Older,
			"half_closed": st.FINs, "zero_reads": st.Zeros, "resets": st.Resets, "ended": st.Ends, "masked": st.Held, "stacks": st.Stacks,
		},
		Lost: map[string]any{
			"histories": st.LostHistories, "stacks": st.LostStacks + st.LostUnwinds + st.LostNested, "events": events,
			"calls": skipped, "stacks_evicted": st.Evicted(),
		},
	}
	for _, c := range costs {
		p := programReport{Name: c.Name, Runs: c.Runs, TotalS: c.Time.Seconds()}
		if c.Runs > 0 {
			p.NS = float64(c.Time.Nanoseconds()) / float64(c.Runs)
		}
		r.Cost = append(r.Cost, p)
		r.OverS = over.Seconds()
	}
	return r
}

// sensorText is the report for people.
func sensorText(r *sensorReport, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "The sensor runs since %s (%s).\n\n", r.Since.Local().Format("2006-01-02 15:04:05"), brief(now.Sub(*r.Since).Round(time.Second)))
	fmt.Fprintf(&b, "seen    %d connections: %d outbound, %d inbound, %d older than the sensor\n",
		r.Seen["connections"], r.Seen["outbound"], r.Seen["inbound"], r.Seen["older"])
	fmt.Fprintf(&b, "        %d half-closed; on %d a read returned zero; %d were reset; %d ended, %d of them masked\n",
		r.Seen["half_closed"], r.Seen["zero_reads"], r.Seen["resets"], r.Seen["ended"], r.Seen["masked"])
	fmt.Fprintf(&b, "        %d places in the code\n", r.Seen["stacks"])
	fmt.Fprintf(&b, "lost    %d histories, %d stacks, %d events, %d calls; %d stacks made room for others\n",
		r.Lost["histories"], r.Lost["stacks"], r.Lost["events"], r.Lost["calls"], r.Lost["stacks_evicted"])
	for _, m := range r.Missing {
		fmt.Fprintf(&b, "blind   this kernel has no tracepoint %s\n", m)
	}
	fmt.Fprintf(&b, "memory  %d KiB, and some 320 bytes for each connection\n", r.Memory/1024)
	if len(r.Cost) == 0 {
		return b.String()
	}
	fmt.Fprintf(&b, "\ncost, measured over %s:\n", brief(rounded(r.OverS)))
	total := 0.0
	for _, c := range r.Cost {
		fmt.Fprintf(&b, "  %-26s %9d runs %8.0f ns each\n", c.Name, c.Runs, c.NS)
		total += c.TotalS
	}
	fmt.Fprintf(&b, "  in all %.3f %% of one processor\n", 100*total/r.OverS)
	return b.String()
}

// rounded is a number of seconds as exact as a reader wants it.
func rounded(seconds float64) time.Duration {
	d := time.Duration(seconds * float64(time.Second))
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}
