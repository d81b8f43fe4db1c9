package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// table writes a result for people.
func table(out io.Writer, r *result) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Linux %s, %d × %s, %s, %s; %d rounds in turn: median (min … max)\n\n",
		r.Machine.Kernel, r.Machine.CPUs, r.Machine.CPU, r.Machine.Go, r.Machine.SS, r.Rounds)
	fmt.Fprintln(w, "stuck\tcommand\twall ms\tcpu ms\tpeak MiB\ttimes closewait's")
	for _, m := range r.Populations {
		for i, s := range m.Commands {
			times := ""
			if i > 0 {
				times = m.Ratios[i-1].text(2)
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%.1f\t%s\n", m.Sockets, s.Command, s.WallMS.text(0), s.CPUMS.text(0), s.PeakMiB.Median, times)
		}
	}
	for _, m := range r.Populations {
		fmt.Fprintf(w, "with %d: closewait saw %d in CLOSE_WAIT in all namespaces; everything else kept %.2f processors busy\n", m.Sockets, m.Seen, m.OtherCPUs)
	}
	fmt.Fprintf(w, "a peak below %.1f MiB can't be told\n", r.FloorMiB)
	fmt.Fprintln(w, "\nfrom\tto\tcommand\tµs each\tKiB each")
	for _, g := range r.Growth {
		fmt.Fprintf(w, "%d\t%d\t%s\t%.2f\t%.2f\n", g.From, g.To, g.Command, g.MicrosEach, g.KiBEach)
	}
	if len(r.Bounds) > 0 {
		fmt.Fprintln(w, "\nbound\twanted\tmeasured\t")
	}
	for _, b := range r.Bounds {
		relation, verdict := "≤", "holds"
		if b.AtLeast {
			relation = "≥"
		}
		if !b.Holds {
			verdict = "DOES NOT HOLD"
		}
		fmt.Fprintf(w, "%s\t%s %g\t%.2f\t%s\n", b.What, relation, b.Want, b.Got, verdict)
	}
	return w.Flush()
}

func (s spread) text(digits int) string {
	return fmt.Sprintf("%.*f (%.*f … %.*f)", digits, s.Median, digits, s.Min, digits, s.Max)
}
