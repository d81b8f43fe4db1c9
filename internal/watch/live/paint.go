package live

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/report"
)

// The tones are those of a report.
type tone = report.Tone

const (
	plain, strong, faint  = report.Plain, report.Strong, report.Faint
	bad, warn, note, good = report.Bad, report.Warn, report.Note, report.Good
	chosen                = report.Chosen
)

type painter struct{ color bool }

func (p painter) paint(t tone, text string) string {
	return report.Style{Color: p.color}.Paint(t, text)
}

// severityTone is the tone of a finding's mark.
func severityTone(f *diagnose.Finding) tone { return report.SeverityTone(f) }

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
