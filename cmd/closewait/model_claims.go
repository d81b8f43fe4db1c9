package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/closewait/closewait/internal/report"
	"github.com/closewait/closewait/internal/sim"
	"github.com/closewait/closewait/model"
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
	if failed(table) {
		return errUnexpected
	}
	return nil
}

func failed(c *report.Claims) bool {
	for _, r := range slices.Concat(c.Rows, c.Corrections) {
		for _, cell := range r.Cells {
			if cell.Verdict == report.VerdictFailed {
				return true
			}
		}
	}
	return false
}

// claimsOn plays every story on the model of every stack.
func claimsOn(names []string) (*report.Claims, error) {
	stories, err := scenario.Load()
	if err != nil {
		return nil, err
	}
	table := &report.Claims{Columns: names}
	for _, s := range stories {
		cells := make([]report.ClaimCell, len(names))
		for i, name := range names {
			p, err := profileNamed(name)
			if err != nil {
				return nil, err
			}
			if cells[i], err = cellOf(s, p); err != nil {
				return nil, err
			}
		}
		for _, c := range s.Claims {
			rows := &table.Rows
			if c.Correction {
				rows = &table.Corrections
			}
			addClaim(rows, c, cells)
		}
	}
	byNumber := func(a, b report.ClaimRow) int { return cmp.Compare(numberOf(a.ID), numberOf(b.ID)) }
	slices.SortStableFunc(table.Rows, byNumber)
	slices.SortStableFunc(table.Corrections, byNumber)
	return table, nil
}

// numberOf is the 8 of C8.
func numberOf(id string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(id, "C"))
	if err != nil {
		return 0
	}
	return n
}

// cellOf plays a story on one stack.
func cellOf(s *scenario.Story, p model.Profile) (report.ClaimCell, error) {
	cell := report.ClaimCell{Column: p.Name, Stories: []string{}}
	if !s.About(p.Name) {
		return cell, nil
	}
	cell.Stories = append(cell.Stories, strings.TrimSuffix(s.File, ".story"))
	r, err := sim.Play(s, p)
	if errors.Is(err, scenario.ErrUnsupported) {
		return cell, nil
	}
	if err != nil {
		return cell, err
	}
	v, _ := s.VerdictFor(r.Names...)
	cell.Verdict, cell.Because = v.Holding.String(), v.Because
	for _, f := range r.Failures {
		cell.Verdict = report.VerdictFailed
		cell.Failures = append(cell.Failures, f.Error())
	}
	return cell, nil
}

// addClaim adds what one story shows to the row of its claim. A correction has
// a row for each of its sentences.
func addClaim(rows *[]report.ClaimRow, c scenario.Claim, cells []report.ClaimCell) {
	at := slices.IndexFunc(*rows, func(r report.ClaimRow) bool { return r.ID == c.ID && (!c.Correction || r.Text == c.Text) })
	if at < 0 {
		*rows = append(*rows, report.ClaimRow{ID: c.ID, Text: c.Text, Cells: slices.Clone(cells)})
		return
	}
	row := &(*rows)[at]
	for i := range row.Cells {
		row.Cells[i] = joined(row.Cells[i], cells[i])
	}
}

// joined is one cell of what two stories show. The second decides where it says
// more: it failed, or it is about this stack in particular.
func joined(a, b report.ClaimCell) report.ClaimCell {
	if b.Verdict == "" {
		return a
	}
	stories := slices.Concat(a.Stories, b.Stories)
	if a.Verdict != report.VerdictFailed && (a.Verdict == "" || b.Because != "" || b.Verdict == report.VerdictFailed) {
		a = b
	}
	a.Stories = stories
	return a
}
