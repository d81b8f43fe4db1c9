package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"

	"github.com/closewait/closewait/internal/lab"
	"github.com/closewait/closewait/internal/lab/netstack"
	"github.com/closewait/closewait/internal/report"
	"github.com/closewait/closewait/internal/sim"
	"github.com/closewait/closewait/scenario"
	"github.com/closewait/closewait/tcp"
)

// labRun is one run of the lab run command.
type labRun struct {
	*env
	engine choice
	pcap   string
	svg    string
	color  choice
	width  bounded
}

func newLabRun(e *env) *cobra.Command {
	l := &labRun{env: e}
	cmd := &cobra.Command{
		Use:   "run STORY",
		Short: "Play one story on this machine's own kernel",
		Long: `run plays one story between two real hosts, each a network namespace with a process
that owns real sockets, and prints it as a diagram of the segments that crossed the
link; then, step by step, what each call returned and how both hosts looked (from
sock_diag), and by how much the kernel's timers were shortened.

STORY is a file, "-" for standard input, a claim's id (c8, C8), or the name of one
of the stories that come with closewait: closewait model run --help lists them.

Exit status: 0 when the story went as it says, 1 when it did not, 2 for a wrong
command line, 3 when it could not be read or played.`,
		Example: `  sudo closewait lab run c8
  sudo closewait lab run c13 --pcap c13.pcap    # then: wireshark c13.pcap
  closewait lab run c14 --engine netstack       # gVisor's TCP: needs no privilege`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil
			}
			return &usageError{fmt.Errorf("lab run plays one story, and got %d", len(args)), cmd.CommandPath()}
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return scenario.Library(), cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if l.pcap != "" && l.engine.value != engineLinux {
				return &usageError{errors.New("--pcap captures what crosses a real link: it needs --engine linux"), cmd.CommandPath()}
			}
			return l.run(cmd.Context(), args[0])
		},
	}
	l.engine = choice{engineLinux, engines}
	l.color = choice{"auto", []string{"auto", "always", "never"}}
	l.width = bounded{0, report.MinWidth, 1000}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.Var(&l.engine, "engine", "whose TCP: "+strings.Join(engines, ", "))
	fs.StringVar(&l.pcap, "pcap", "", "write what crossed the link into this `file`, for Wireshark")
	fs.StringVar(&l.svg, "svg", "", "also draw the diagram into this `file`, for a web page")
	fs.Var(&l.color, "color", "when to use colour (auto: on a terminal, unless NO_COLOR is set)")
	fs.Var(&l.width, "width", "columns to fit into (0: the terminal's, at most 100)")
	complete(cmd, "engine", engines)
	complete(cmd, "color", l.color.allowed)
	return cmd
}

func (l *labRun) run(ctx context.Context, name string) error {
	if l.engine.value == engineLinux {
		if status, again, err := lab.Reenter(ctx); err != nil || again {
			return ended(status, err)
		}
	}
	s, _, also, err := l.story(name)
	if err != nil {
		return err
	}
	r, err := l.play(ctx, s)
	if r == nil {
		return err
	}
	if shown := l.show(r, also); shown != nil {
		return errors.Join(err, fmt.Errorf("write the diagram: %w", shown))
	}
	if err == nil && l.svg != "" {
		err = drawSVG(l.svg, r.Result)
	}
	if err == nil && !r.Holds() {
		return errUnexpected
	}
	return err
}

// play plays the story on the engine asked for, and writes the capture.
func (l *labRun) play(ctx context.Context, s *scenario.Story) (r *lab.Run, err error) {
	var capture bytes.Buffer
	begun := time.Now()
	switch l.engine.value {
	case engineModel:
		profile, _ := profileNamed("linux")
		r = &lab.Run{}
		r.Result, err = sim.Play(s, profile)
	case engineNetstack:
		r = &lab.Run{}
		r.Result, err = netstack.Play(s)
	default:
		o := lab.Options{}
		if l.pcap != "" {
			o.Pcap = &capture
		}
		done := l.err.progress(patience, "playing the story on this kernel… (Ctrl-C: stop)")
		r, err = lab.Play(ctx, s, o)
		done()
	}
	if r == nil || r.Result == nil {
		return nil, err
	}
	if r.Took == 0 {
		r.Took = time.Since(begun)
	}
	if l.pcap == "" {
		return r, err
	}
	if wrote := os.WriteFile(l.pcap, capture.Bytes(), 0o666); wrote != nil {
		err = errors.Join(err, fmt.Errorf("write the capture: %w", wrote))
	}
	return r, err
}

func (l *labRun) show(r *lab.Run, also string) error {
	style := l.out.style(l.color.value, l.width.value)
	var b bytes.Buffer
	if err := report.LadderText(&b, ladderOf(r.Result), style); err != nil {
		return err
	}
	if l.engine.value == engineLinux {
		b.WriteString("\n" + stepByStep(r))
	}
	b.WriteString(ansi.Wordwrap(summary(r.Result)+howLong(r)+also, style.Width, ""))
	_, err := l.out.w.Write(b.Bytes())
	return err
}

// stepByStep tells what both hosts were like after each step.
func stepByStep(r *lab.Run) string {
	var b strings.Builder
	b.WriteString("Step by step, with the hosts as sock_diag showed them:\n")
	for _, s := range r.Steps() {
		text := s.Text
		switch s.Kind {
		case scenario.Called:
			text = fmt.Sprintf("%s %s → %s", r.Story.Hosts[s.Host], s.Call, s.Return)
		case scenario.Checked:
			continue
		}
		fmt.Fprintf(&b, "  %s\n      %s %s; %s %s\n", text, r.Story.Hosts[0], appearance(s.Seen[0]), r.Story.Hosts[1], appearance(s.Seen[1]))
	}
	return b.String()
}

// appearance is a host as ss shows it.
func appearance(o scenario.Observation) string {
	text := o.State.String()
	if o.State == tcp.Closed && o.Listening {
		text = "LISTEN"
	}
	if o.RecvQ > 0 {
		text += fmt.Sprintf(" recv-q %d", o.RecvQ)
	}
	if o.SendQ > 0 {
		text += fmt.Sprintf(" send-q %d", o.SendQ)
	}
	if o.Timer != scenario.TimerNone && o.Timer != scenario.TimerUnknown {
		text += " timer " + o.Timer.String()
	}
	return text
}

// howLong says what the story took, and what was shortened for it.
func howLong(r *lab.Run) string {
	text := fmt.Sprintf("\nThe story lasts %v; it took %v.\n", r.Ended.Round(time.Millisecond), r.Took.Round(time.Millisecond))
	for _, n := range r.Notes {
		text += "  " + n + "\n"
	}
	return text
}
