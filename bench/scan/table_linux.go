package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/closewait/closewait/internal/figure"
)

// Table implements figure.Result.
func (r *result) Table(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Linux %s, %d × %s, %s, %s; %d rounds in turn: median (min … max)\n\n",
		r.Machine.Kernel, r.Machine.CPUs, r.Machine.CPU, r.Machine.Go, r.Machine.SS, r.Rounds)
	fmt.Fprintln(w, "stuck\tcommand\twall ms\tcpu ms\tpeak MiB\ttimes closewait's")
	for _, m := range r.Populations {
		for i, s := range m.Commands {
			times := ""
			if i > 0 {
				times = m.Ratios[i-1].Text(2)
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%.1f\t%s\n", m.Sockets, s.Command, s.WallMS.Text(0), s.CPUMS.Text(0), s.PeakMiB.Median, times)
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
	figure.Verdicts(w, r.Bounds)
	return w.Flush()
}
