package live

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/closewait/closewait/internal/report"
)

// cut holds a line inside the width.
func (m *model) cut(line string) string { return ansi.Truncate(line, m.width, "…") }

// head is what stands above everything: where, when, how much, and a blank line.
func (m *model) head() []string {
	title := m.paint(strong, "closewait watch")
	if m.shown == nil {
		return []string{title, m.trouble(), ""}
	}
	r := m.shown.Report
	parts := []string{title, report.Shorten(r.Host.Name, 30), r.TakenAt.In(m.o.Location).Format("15:04:05"), "every " + report.Span(m.o.Interval)}
	line := strings.Join(append(parts, m.o.Mode), " · ")
	if m.paused {
		line = m.paint(warn, "PAUSED") + " · " + line
	}
	return []string{line, m.totals(), ""}
}

// totals is the second line; trouble takes its place.
func (m *model) totals() string {
	if t := m.trouble(); t != "" {
		return t
	}
	r := m.shown.Report
	stuck := report.Number(r.Totals.Stuck) + " stuck"
	if m.o.Filter != "" {
		stuck += " of those asked for" // the other numbers are the host's
	}
	parts := []string{
		report.Number(r.Totals.TCP) + " TCP sockets", report.Number(r.Totals.CloseWait) + " CLOSE_WAIT", m.paint(strong, stuck),
	}
	if n := r.Totals.Masked; n > 0 {
		parts = append(parts, m.paint(strong, report.Number(n)+" dead"))
	}
	if n := m.shown.Dropped; n > 0 {
		parts = append(parts, m.paint(warn, fmt.Sprintf("%d events lost", n)))
	}
	if n := len(r.Limits); n > 0 {
		parts = append(parts, m.paint(warn, "not all seen (?)"))
	}
	line := strings.Join(parts, " · ")
	if ansi.StringWidth(line) > m.width {
		return strings.Join(parts[1:], " · ") // what is least of use makes room
	}
	return line
}

func (m *model) trouble() string {
	if m.problem == "" {
		return ""
	}
	return m.paint(bad, report.Shorten(m.problem, m.width))
}

// foot names the keys that do something here.
func (m *model) foot() string {
	keys := "↑↓ select · enter open · / filter · s sort · p pause · ? help · q quit"
	switch {
	case m.list.typing:
		return m.paint(strong, "filter: ") + report.Shorten(m.list.filter, m.width-20) + "▏ enter: keep · esc: drop"
	case m.help:
		keys = "any key: back"
	case m.socket != nil:
		keys = "↑↓ scroll · esc back · p pause · ? help · q quit"
	case m.finding != nil:
		keys = "↑↓ socket · pgup/pgdn scroll · enter open socket · esc back · p pause · q quit"
	}
	return m.paint(faint, keys)
}

var helpText = []string{
	"Each line is a finding: connections of one program, with one cause, to or on one",
	"service. Above them stands what was looked at, below them what has happened.",
	"",
	"  STUCK   how bad it is (ok: not stuck), and how many connections",
	"  TREND   how many there were, look by look; then how fast it grows:",
	"          +2.1/m is a minute's; ~ is an estimate until 10 s have been watched",
	"  AGES    how old they are, a column each: under 10 s, 1 min, 10 min, 1 h, 1 d, older",
	"  ENDS    whether the connection ends by itself: most never do",
	"",
	"  ↑ ↓ j k         choose            enter →        open a finding, or a socket in it",
	"  pgup pgdn g G   by pages, ends    esc ← backsp.  back; in the list: drop the filter",
	"  /               show only what has all these words: a program, a pid, a cause …",
	"  s               sort by severity, count, growth, age, owner",
	"  p space         pause: the picture stands still, watching goes on",
	"  q ctrl+c        end           ctrl+z  to the shell and back",
}

// helpLines are the help, and what could not be seen.
func (m *model) helpLines() []string {
	lines := append([]string(nil), helpText...)
	if m.shown == nil || len(m.shown.Report.Limits) == 0 {
		return lines
	}
	lines = append(lines, "", m.paint(warn, "could not see:"))
	for _, l := range m.shown.Report.Limits {
		for i, part := range wrap(report.Shorten(l, 1000), m.width-4, 6) {
			lead := "    "
			if i == 0 {
				lead = "  - "
			}
			lines = append(lines, lead+part)
		}
	}
	return lines
}
