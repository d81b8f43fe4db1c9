package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"

	"github.com/closewait/closewait/internal/report"
	"github.com/closewait/closewait/internal/sim"
	"github.com/closewait/closewait/scenario"
)

// errUnexpected is a story that did not go as it says: all is printed already.
var errUnexpected = errors.New("an expectation did not come true")

// modelRun is one run of the model run command.
type modelRun struct {
	*env
	profile stack
	svg     string
	update  bool
	color   choice
	width   bounded
}

func newModelRun(e *env) *cobra.Command {
	m := &modelRun{env: e}
	cmd := &cobra.Command{
		Use:   "run STORY",
		Short: "Play a story between two model hosts and show what happened",
		Long: `run plays a story between two hosts over a link that loses what the story says,
in virtual time, and prints it as a diagram: the segments and when they were
sent, each host's states, what every call returned, and how it ended.

STORY is a file, "-" for standard input, a claim's id (c8, C8), or the name of one
of the stories that come with closewait, which show the claims about CLOSE_WAIT
one by one:
  ` + strings.Join(scenario.Library(), "\n  ") + `

PROFILE is one of ` + strings.Join(profileNames(), ", ") + `.

Exit status: 0 when the story went as it says, 1 when it did not, 2 for a wrong
command line, 3 when it could not be read or played.`,
		Example: `  closewait model run c8
  closewait model run c10-mask-2 --profile xnu
  closewait model run my.story --svg my.svg
  closewait model run my.story --update   # rewrite what it expects to what happens`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil
			}
			return &usageError{fmt.Errorf("model run plays one story, and got %d", len(args)), cmd.CommandPath()}
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return scenario.Library(), cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if m.update && !isFile(args[0]) {
				return &usageError{fmt.Errorf("--update rewrites a file, and %q is none", args[0]), cmd.CommandPath()}
			}
			return m.run(args[0])
		},
	}
	m.bind(cmd)
	return cmd
}

func (m *modelRun) bind(cmd *cobra.Command) {
	m.profile = stack{choice{allowed: profileNames()}}
	m.color = choice{"auto", []string{"auto", "always", "never"}}
	m.width = bounded{0, report.MinWidth, 1000}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.Var(&m.profile, "profile", "the hosts' stack (if not given: the story's own, else linux)")
	fs.StringVar(&m.svg, "svg", "", "also draw the diagram into this `file`, for a web page")
	fs.BoolVar(&m.update, "update", false, "rewrite expectations in the file that did not come true")
	fs.Var(&m.color, "color", "when to use colour (auto: on a terminal, unless NO_COLOR is set)")
	fs.Var(&m.width, "width", "columns to fit into (0: the terminal's, at most 100)")
	complete(cmd, "profile", m.profile.allowed)
	complete(cmd, "color", m.color.allowed)
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

func (m *modelRun) run(name string) error {
	s, src, also, err := m.story(name)
	if err != nil {
		return err
	}
	p, err := profileNamed(m.profileFor(s))
	if err != nil {
		return err
	}
	r, err := sim.Play(s, p)
	if err != nil {
		return err
	}
	if err := m.show(r, also); err != nil {
		return fmt.Errorf("write the diagram: %w", err)
	}
	if m.svg != "" {
		if err := drawSVG(m.svg, r); err != nil {
			return err
		}
	}
	if m.update && !r.Holds() {
		return rewrite(name, scenario.Update(s, src, r))
	}
	if !r.Holds() {
		return errUnexpected
	}
	return nil
}

// profileFor is the profile asked for, or the story's first.
func (m *modelRun) profileFor(s *scenario.Story) string {
	switch {
	case m.profile.value != "":
		return m.profile.value
	case len(s.Profiles) > 0:
		return s.Profiles[0]
	}
	return "linux"
}

func (m *modelRun) show(r *scenario.Result, also string) error {
	style := m.out.style(m.color.value, m.width.value)
	var b bytes.Buffer
	if err := report.LadderText(&b, ladderOf(r), style); err != nil {
		return err
	}
	b.WriteString(ansi.Wordwrap(summary(r), style.Width, "") + also)
	_, err := m.out.w.Write(b.Bytes())
	return err
}

// summary says how a story ended, and what of it did not come true.
func summary(r *scenario.Result) string {
	var b strings.Builder
	b.WriteString("\nIn the end:\n")
	for i, host := range r.Story.Hosts {
		fmt.Fprintf(&b, "  %s: %s\n", host, endOf(r.End[i]))
	}
	b.WriteString("\n")
	for _, f := range r.Failures {
		fmt.Fprintf(&b, "FAILED %s\n", f.Error())
	}
	if len(r.Failures) > 0 {
		fmt.Fprintf(&b, "%s did not come true on %s.\n", plural(len(r.Failures), "expectation"), engineName(r))
		return b.String()
	}
	fmt.Fprintf(&b, "All went as the story says, on %s.\n", engineName(r))
	if v, ok := r.Story.VerdictFor(r.Names...); ok {
		fmt.Fprintf(&b, "The claim %s there: %s.\n", v.Holding, v.Because)
	}
	return b.String()
}

func drawSVG(name string, r *scenario.Result) error {
	var b bytes.Buffer
	if err := report.LadderSVG(&b, ladderOf(r)); err != nil {
		return err
	}
	if err := os.WriteFile(name, b.Bytes(), 0o666); err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	return nil
}

func rewrite(name string, src []byte) error {
	if err := os.WriteFile(name, src, 0o666); err != nil {
		return fmt.Errorf("rewrite the story: %w", err)
	}
	return nil
}
