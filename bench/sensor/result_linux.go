package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/closewait/closewait/internal/figure"
)

// result is all that was measured; -json writes it.
type result struct {
	Machine       figure.Machine `json:"machine"`
	Rounds        int            `json:"rounds"`
	Losses        []loss         `json:"losses"`
	Programs      []program      `json:"programs"`
	PerConnection float64        `json:"ns_per_connection"`
	PerRecv       float64        `json:"ns_per_recv"`
	Measuring     float64        `json:"measuring_ns_per_run"`
	Memory        footprint      `json:"memory"`
	Bounds        []figure.Bound `json:"bounds"`
}

// loss is how much of the throughput something costs.
type loss struct {
	Traffic string        `json:"traffic"`
	With    string        `json:"with"`
	Rounds  int           `json:"rounds"` // that it took part in
	Percent figure.Spread `json:"percent"`
	ExtraNS figure.Spread `json:"extra_ns"`
	BaseNS  figure.Spread `json:"without_ns"`
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

// Judged implements figure.Result.
func (r *result) Judged() []figure.Bound { return r.Bounds }

// judge compares what was measured with what is wanted.
func judge(r *result) []figure.Bound {
	out := []figure.Bound{
		figure.AtMost("ns a recv", r.PerRecv, mostPerRecv),
		figure.AtMost("ns a connection, both ends", r.PerConnection, mostPerConnection),
		figure.AtMost("bytes a tracked socket", r.Memory.Each, mostBytes),
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
			out = append(out, figure.AtMost("% lost, "+churn, l.Percent.Median, mostChurn))
			if other, ok := life[churn]; ok {
				out = append(out, figure.AtMost("of tcplife's ns, "+churn, l.ExtraNS.Median/max(other.ExtraNS.Median, 1), mostOfTcplife))
			}
		case messages:
			out = append(out, figure.AtMost("% lost, "+messages, l.Percent.Median, mostMessages))
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

// Table implements figure.Result.
func (r *result) Table(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Linux %s, %d × %s; %d rounds: median (min … max)\n\n", r.Machine.Kernel, r.Machine.CPUs, r.Machine.CPU, r.Rounds)
	fmt.Fprintln(w, "traffic\twithout, ns\twith\t% lost\tns more")
	for _, l := range r.Losses {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.Traffic, l.BaseNS.Text(0), l.With, l.Percent.Text(1), l.ExtraNS.Text(0))
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
	figure.Verdicts(w, r.Bounds)
	return w.Flush()
}
