package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/closewait/closewait/internal/capture"
	"github.com/closewait/closewait/internal/report"
)

// labDraw is one run of the lab draw command.
type labDraw struct {
	*env
	connection bounded
	svg        string
	color      choice
	width      bounded
}

func newLabDraw(e *env) *cobra.Command {
	l := &labDraw{env: e}
	cmd := &cobra.Command{
		Use:   "draw CAPTURE",
		Short: "Draw a connection out of a saved capture",
		Long: `draw reads a capture (pcap or pcapng, of tcpdump, Wireshark or closewait lab run) and
draws one of its TCP connections as a diagram. If there are several it lists them:
choose one with --connection. CAPTURE is a file, or "-" for standard input.

A capture tells what passed the place where it was taken. That a segment was lost
afterwards it does not tell, unless the lab took it.`,
		Example: `  tcpdump -w leak.pcap -i any port 5000     # as root; Ctrl-C when it has happened
  closewait lab draw leak.pcap
  closewait lab draw leak.pcap --connection 3 --svg leak.svg`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil
			}
			return &usageError{fmt.Errorf("lab draw reads one capture, and got %d", len(args)), cmd.CommandPath()}
		},
		RunE: func(_ *cobra.Command, args []string) error { return l.run(args[0]) },
	}
	l.connection = bounded{0, 0, 1 << 30}
	l.color = choice{"auto", []string{"auto", "always", "never"}}
	l.width = bounded{0, report.MinWidth, 1000}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.Var(&l.connection, "connection", "which of the connections that are listed (0: the only one)")
	fs.StringVar(&l.svg, "svg", "", "also draw it into this `file`, for a web page")
	fs.Var(&l.color, "color", "when to use colour (auto: on a terminal, unless NO_COLOR is set)")
	fs.Var(&l.width, "width", "columns to fit into (0: the terminal's, at most 100)")
	complete(cmd, "color", l.color.allowed)
	return cmd
}

func (l *labDraw) run(name string) error {
	c, err := l.read(name)
	if err != nil {
		return err
	}
	n := l.connection.value
	switch {
	case len(c.Connections) == 0:
		return fmt.Errorf("%s holds no TCP segment: %s, and none could be read as TCP over IP", name, plural(c.Packets, "packet"))
	case n > len(c.Connections):
		return fmt.Errorf("%s holds %s, and no number %d", name, plural(len(c.Connections), "connection"), n)
	case n == 0 && len(c.Connections) > 1:
		return l.list(c)
	}
	ladder := ladderOfCapture(c.Connections[max(n, 1)-1])
	if err := report.LadderText(l.out.w, ladder, l.out.style(l.color.value, l.width.value)); err != nil {
		return fmt.Errorf("write the diagram: %w", err)
	}
	if c.Cut {
		fmt.Fprintln(l.err.w, "closewait: the capture ends in the middle of a packet")
	}
	if l.svg == "" {
		return nil
	}
	var b bytes.Buffer
	if err := report.LadderSVG(&b, ladder); err != nil {
		return err
	}
	if err := os.WriteFile(l.svg, b.Bytes(), 0o666); err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	return nil
}

func (l *labDraw) read(name string) (*capture.Capture, error) {
	in := l.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("read the capture: %w", err)
		}
		defer f.Close()
		in = f
	}
	defer l.err.progress(patience, "reading the capture… (Ctrl-C: stop)")()
	c, err := capture.Read(in)
	if errors.Is(err, io.EOF) {
		return nil, errors.New("read the capture: it is empty")
	}
	return c, err
}

// list says which connections there are.
func (l *labDraw) list(c *capture.Capture) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s; choose one with --connection:\n", plural(len(c.Connections), "connection"))
	for i, x := range c.Connections {
		fmt.Fprintf(&b, "%6d  %s  %v → %v  %s\n", i+1, x.Began.Format("15:04:05.000"), x.Ends[0], x.Ends[1], plural(len(x.Segments), "segment"))
	}
	_, err := io.WriteString(l.out.w, b.String())
	return err
}

// ladderOfCapture is a connection as a diagram.
func ladderOfCapture(c *capture.Connection) *report.Ladder {
	out := &report.Ladder{
		Title: fmt.Sprintf("%v → %v, from %s on", c.Ends[0], c.Ends[1], c.Began.Format("2006-01-02 15:04:05.000")),
		Hosts: [2]string{c.Ends[0].String(), c.Ends[1].String()},
	}
	out.Description = fmt.Sprintf("Sequence diagram of %d segments between %s and %s.", len(c.Segments), out.Hosts[0], out.Hosts[1])
	for _, s := range c.Segments {
		out.Rungs = append(out.Rungs, report.Rung{At: s.At, Arrow: &report.Arrow{From: s.From, Segment: s.Segment, Lost: s.Lost}})
	}
	return out
}
