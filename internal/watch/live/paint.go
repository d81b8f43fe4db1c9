package live

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/report"
)

// tone is the weight and colour of some text. The sixteen basic colours only:
// they follow the user's own theme, light or dark.
type tone uint8

const (
	plain tone = iota
	strong
	faint
	bad
	warn
	note
	good
	chosen // the line that the cursor is on
)

type painter struct{ color bool }

func (p painter) paint(t tone, text string) string {
	if !p.color || t == plain || text == "" {
		return text
	}
	var s ansi.Style
	switch t {
	case strong:
		s = ansi.NewStyle().Bold()
	case faint:
		s = ansi.NewStyle().Faint()
	case bad:
		s = ansi.NewStyle().Bold().ForegroundColor(ansi.Red)
	case warn:
		s = ansi.NewStyle().Bold().ForegroundColor(ansi.Yellow)
	case note:
		s = ansi.NewStyle().ForegroundColor(ansi.Cyan)
	case good:
		s = ansi.NewStyle().ForegroundColor(ansi.Green)
	case chosen:
		s = ansi.NewStyle().Reverse(true)
	}
	return s.Styled(text)
}

// severityTone is the tone of a finding's mark.
func severityTone(f *diagnose.Finding) tone {
	switch {
	case !f.Stuck:
		return good
	case f.Severity == diagnose.Critical:
		return bad
	case f.Severity == diagnose.Warning:
		return warn
	}
	return note
}

// fit cuts or fills safe text to exactly n columns.
func fit(s string, n int) string {
	s = ansi.Truncate(s, max(0, n), "…")
	return s + strings.Repeat(" ", max(0, n-report.Columns(s)))
}

// right is fit with the text at the right.
func right(s string, n int) string {
	s = ansi.Truncate(s, max(0, n), "…")
	return strings.Repeat(" ", max(0, n-report.Columns(s))) + s
}

// wrap breaks safe text into lines of at most n columns, most of them at most.
func wrap(s string, n, most int) []string {
	lines := strings.Split(ansi.Wrap(s, max(1, n), " "), "\n")
	if len(lines) > most {
		lines = lines[:most]
		lines[most-1] = fit(lines[most-1]+" …", n)
	}
	return lines
}
