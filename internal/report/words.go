package report

import (
	"bufio"
	"io"
	"strings"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
)

// The words and tones of a report, for other renderers that show the same things.

// Tone is the weight and colour of some text.
type Tone = tone

// The tones, which follow the reader's own theme.
const (
	Plain  = plain
	Strong = strong
	Faint  = faint
	Bad    = bad
	Warn   = warn
	Note   = note
	Good   = good
	Chosen = chosen // the line that a cursor is on
)

// Paint gives safe text a tone, where s allows colour.
func (s Style) Paint(t Tone, text string) string { return s.paint(t, text) }

// Span says a length of time as a report does: "12 s", "3 min 20 s".
func Span(d time.Duration) string { return span(d) }

// Bracket says an age: "12 s", "12 s to 3 min", "at least 12 s".
func Bracket(a diagnose.Age) string { return bracket(a) }

// Rate says how fast something changes, without its sign: "2.1 a minute".
func Rate(perHour float64) string { return rate(perHour) }

// Number writes n with thousands separators.
func Number(n int) string { return number(n) }

// Shorten makes untrusted text safe to print and cuts it to at most n columns.
func Shorten(s string, n int) string { return shorten(s, max(0, n)) }

// Columns is how many columns of a terminal safe text takes.
func Columns(s string) int { return columns(s) }

// OwnerName is what to call a program, safe to print.
func OwnerName(o *diagnose.Owner) string { return name(o) }

// SeverityWord is what a finding's headline begins with: "CRITICAL", "OK".
func SeverityWord(f *diagnose.Finding) string { return severityWord(f) }

// SeverityTone is the tone of that word.
func SeverityTone(f *diagnose.Finding) Tone { return severityTone(f) }

// Headline is a finding in one sentence, safe to print.
func Headline(f *diagnose.Finding) string {
	var b strings.Builder
	for _, r := range sentence(f) {
		b.WriteString(r.text)
	}
	return b.String()
}

// Entry writes one finding of r in full, stuck or not. The error is that of w.
func Entry(w io.Writer, r *diagnose.Report, f *diagnose.Finding, s Style) error {
	out := bufio.NewWriterSize(w, 16<<10)
	t := &text{sheet{out, s}, r, s.clock(r.TakenAt), map[string]*diagnose.Finding{}}
	for i := range r.Findings {
		t.byID[r.Findings[i].ID] = &r.Findings[i]
	}
	t.entry(f)
	return out.Flush()
}
