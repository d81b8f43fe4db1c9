package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/closewait/closewait/internal/report"
	"github.com/closewait/closewait/internal/sim"
	"github.com/closewait/closewait/scenario"
)

// tabled are the stacks of the table, if none are named.
var tabled = []string{"rfc9293", "linux", "freebsd", "xnu", "hpux", "gvisor", "lwip"}

// modelClaims is one run of the model claims command.
type modelClaims struct {
	*env
	json     bool
	profiles list[string]
	color    choice
	width    bounded
}

func newModelClaims(e *env) *cobra.Command {
	m := &modelClaims{env: e}
	cmd := &cobra.Command{
		Use:   "claims",
		Short: "Show which claim about CLOSE_WAIT holds on which stack",
		Long: `claims plays the stories of all claims on the model of every stack, and prints a
line for each claim: holds, does not, or depends; then the reasons, with their
sources and the stories that show them.

Exit status: 0 when every story went as it says, 1 when one did not.`,
		Example: `  closewait model claims
  closewait model claims --profile linux,illumos,windows
  closewait model claims --json | jq -r '.claims[].id'`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(*cobra.Command, []string) error { return m.run() },
	}
	m.profiles = list[string]{kind: "profiles", parse: func(s string) (string, error) {
		_, err := profileNamed(s)
		return s, err
	}}
	m.color = choice{"auto", []string{"auto", "always", "never"}}
	m.width = bounded{0, report.MinWidth, 1000}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.Var(&m.profiles, "profile", "the stacks to show ("+strings.Join(tabled, ",")+" if not given)")
	fs.BoolVar(&m.json, "json", false, "write the table as JSON")
	fs.Var(&m.color, "color", "when to use colour (auto: on a terminal, unless NO_COLOR is set)")
	fs.Var(&m.width, "width", "columns to fit into (0: the terminal's, at most 100)")
	complete(cmd, "profile", profileNames())
	complete(cmd, "color", m.color.allowed)
	return cmd
}

func (m *modelClaims) run() error {
	names := m.profiles.values
	if len(names) == 0 {
		names = tabled
	}
	table, err := claimsOn(names)
	if err != nil {
		return err
	}
	if m.json {
		err = report.ClaimsJSON(m.out.w, table)
	} else {
		err = report.ClaimsText(m.out.w, table, m.out.style(m.color.value, m.width.value))
	}
	if err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	if anyFailed(table) {
		return errUnexpected
	}
	return nil
}

// claimsOn plays every story on the model of every stack.
func claimsOn(names []string) (*report.Claims, error) {
	stories, err := scenario.Load()
	if err != nil {
		return nil, err
	}
	return tableOf(stories, names, func(s *scenario.Story, column int) (report.ClaimCell, error) {
		p, err := profileNamed(names[column])
		if err != nil {
			return report.ClaimCell{}, err
		}
		if !s.About(p.Name) {
			return report.ClaimCell{Column: p.Name, Stories: []string{}}, nil
		}
		r, err := sim.Play(s, p)
		return cellOf(p.Name, s, r, err)
	})
}
