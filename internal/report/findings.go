package report

import (
	"bufio"
	"io"

	"github.com/closewait/closewait/internal/diagnose"
)

// Findings writes the stuck findings of r in full, the worst first, and nothing
// else: for a command that says itself what it looked at. The error is that of w.
func Findings(w io.Writer, r *diagnose.Report, s Style) error {
	out := bufio.NewWriterSize(w, 16<<10)
	t := &text{sheet{out, s}, r, s.clock(r.TakenAt), map[string]*diagnose.Finding{}}
	for i := range r.Findings {
		t.byID[r.Findings[i].ID] = &r.Findings[i]
	}
	stuck, _ := split(r.Findings)
	for i, f := range stuck {
		if i > 0 {
			t.blank()
		}
		if i == mostEntries && !s.All {
			t.others(stuck[i:])
			break
		}
		t.entry(f)
	}
	return out.Flush()
}

// Paragraph writes running text, broken into lines that fit and made safe to print.
// The first line begins with lead, the others with as many spaces as indent says.
// The error is that of w.
func Paragraph(w io.Writer, lead string, indent int, words string, s Style) error {
	out := bufio.NewWriter(w)
	sheet{out, s}.write(paragraph{}.add(strong, lead), indent, say(words))
	return out.Flush()
}
