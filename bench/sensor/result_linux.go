package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// result is all that was measured; -json writes it.
type result struct {
	Machine       machine   `json:"machine"`
	Rounds        int       `json:"rounds"`
	Losses        []loss    `json:"losses"`
	Programs      []program `json:"programs"`
	PerConnection float64   `json:"ns_per_connection"`
	PerRecv       float64   `json:"ns_per_recv"`
	Measuring     float64   `json:"measuring_ns_per_run"`
	Memory        footprint `json:"memory"`
	Bounds        []bound   `json:"bounds"`
}

// machine is what the figures hang on.
type machine struct {
	Kernel string `json:"kernel"`
	CPUs   int    `json:"cpus"`
	CPU    string `json:"cpu"`
}

func thisMachine() machine {
	m := machine{CPUs: runtime.NumCPU(), CPU: "unknown", Kernel: "unknown"}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(text))
	}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	return m
}

// loss is how much of the throughput something costs.
type loss struct {
	Traffic string `json:"traffic"`
	With    string `json:"with"`
	Rounds  int    `json:"rounds"` // that it took part in
	Percent spread `json:"percent"`
	ExtraNS spread `json:"extra_ns"`
	BaseNS  spread `json:"without_ns"`
}

// spread is what several rounds gave.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func spreadOf(values []float64) spread {
	v := slices.Sorted(slices.Values(values))
	if len(v) == 0 {
		return spread{}
	}
	middle := v[len(v)/2]
	if len(v)%2 == 0 {
		middle = (v[len(v)/2-1] + middle) / 2
	}
	return spread{Median: middle, Min: v[0], Max: v[len(v)-1]}
}

func (s spread) text(digits int) string {
	return fmt.Sprintf("%.*f (%.*f … %.*f)", digits, s.Median, digits, s.Min, digits, s.Max)
}

// What is wanted of the sensor.
const (
	mostPerRecv       = 100  // ns, by the kernel's own count
	mostPerConnection = 6000 // ns, both ends
	mostMessages      = 3    // percent
	mostChurn         = 12   // percent
	mostOfTcplife     = 1.0 / 3
	mostBytes         = 400 // a tracked socket
)

// bound is a promise and whether it was kept.
type bound struct {
	What  string  `json:"what"`
	Got   float64 `json:"got"`
	Want  float64 `json:"want"` // at most
	Holds bool    `json:"holds"`
}

func atMost(what string, got, want float64) bound { return bound{what, got, want, got <= want} }

// judge compares what was measured with what is wanted.
func judge(r *result) []bound {
	out := []bound{
		atMost("ns a recv", r.PerRecv, mostPerRecv),
		atMost("ns a connection, both ends", r.PerConnection, mostPerConnection),
		atMost("bytes a tracked socket", r.Memory.Each, mostBytes),
	}
	life := map[string]loss{}
	for _, l := range r.Losses {
		if l.With == tcplifeName {
			life[l.Traffic] = l
		}
	}
	for _, l := range r.Losses {
		if l.With != sensorName {
			continue
		}
		switch l.Traffic {
		case churn:
			out = append(out, atMost("% lost, "+churn, l.Percent.Median, mostChurn))
			if other, ok := life[churn]; ok {
				out = append(out, atMost("of tcplife's ns, "+churn, l.ExtraNS.Median/max(other.ExtraNS.Median, 1), mostOfTcplife))
			}
		case messages:
			out = append(out, atMost("% lost, "+messages, l.Percent.Median, mostMessages))
		}
	}
	return out
}

// runsPerRecv is how many of the programs' runs a recv has.
func runsPerRecv(r *result) (runs float64) {
	for _, p := range r.Programs {
		if p.Traffic == messages {
			runs += p.PerOp / 2 // one recv at each end
		}
	}
	return runs
}

// table writes a result for people.
func table(out io.Writer, r *result) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Linux %s, %d × %s; %d rounds: median (min … max)\n\n", r.Machine.Kernel, r.Machine.CPUs, r.Machine.CPU, r.Rounds)
	fmt.Fprintln(w, "traffic\twithout, ns\twith\t% lost\tns more")
	for _, l := range r.Losses {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.Traffic, l.BaseNS.text(0), l.With, l.Percent.text(1), l.ExtraNS.text(0))
	}
	fmt.Fprintln(w, "\ntraffic\tprogram\truns\tns a run")
	for _, p := range r.Programs {
		if p.PerOp >= 0.01 {
			fmt.Fprintf(w, "%s\t%s\t%.2f\t%.0f\n", p.Traffic, p.Name, p.PerOp, p.NS)
		}
	}
	fmt.Fprintf(w, "\nby the kernel's count: %.0f ns a connection (both ends), %.0f ns a recv\n", r.PerConnection, r.PerRecv)
	fmt.Fprintf(w, "in each run: %.0f ns of measuring, by a program that does nothing; a recv without that: %.0f ns\n",
		r.Measuring, r.PerRecv-runsPerRecv(r)*r.Measuring)
	fmt.Fprintf(w, "memory: %.0f bytes a tracked socket (%d sockets), %.1f MiB of maps\n", r.Memory.Each, r.Memory.Sockets, float64(r.Memory.Maps)/(1<<20))
	if len(r.Bounds) > 0 {
		fmt.Fprintln(w, "\nbound\tat most\tmeasured\t")
	}
	for _, b := range r.Bounds {
		verdict := "holds"
		if !b.Holds {
			verdict = "DOES NOT HOLD"
		}
		fmt.Fprintf(w, "%s\t%.3g\t%.3g\t%s\n", b.What, b.Want, b.Got, verdict)
	}
	return w.Flush()
}
