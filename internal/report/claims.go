package report

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"strings"
)

// ClaimsSchema names the JSON that ClaimsJSON writes; fields may be added to it.
const ClaimsSchema = "closewait-claims/v1"

// Claims is a table of claims, and how each stands with every stack or engine
// that was tried.
type Claims struct {
	Schema string `json:"schema"`
	// Columns are the stacks or engines.
	Columns []string `json:"columns"`
	// Rows are the claims; Corrections what was measured to be otherwise.
	Rows        []ClaimRow `json:"claims"`
	Corrections []ClaimRow `json:"corrections"`
}

// ClaimRow is one claim.
type ClaimRow struct {
	ID   string `json:"id"`
	Text string `json:"text"`
	// Cells are one for each column.
	Cells []ClaimCell `json:"results"`
}

// ClaimCell is how one claim stands with one stack.
type ClaimCell struct {
	Column string `json:"column"`
	// Verdict is "holds", "does not hold", "depends", "failed" (a story did not go
	// as it says) or "" (no story is about this stack).
	Verdict string `json:"verdict"`
	// Because is the reason, with its source, of any verdict that needs one.
	Because string `json:"because,omitempty"`
	// Stories are the names of those that show it.
	Stories []string `json:"stories"`
	// Failures are what did not come true.
	Failures []string `json:"failures,omitempty"`
	// TookMS is how many milliseconds of the world's time the stories took; 0 where
	// it was not measured.
	TookMS float64 `json:"took_ms,omitempty"`
}

// The verdicts that this package draws in a way of its own.
const (
	VerdictHolds  = "holds"
	VerdictFailed = "failed"
	// VerdictDiffers is VerdictFailed where engines stand side by side.
	VerdictDiffers = "differs"
)

// ClaimsJSON writes the table as one JSON object.
func ClaimsJSON(w io.Writer, c *Claims) error {
	out := *c
	out.Schema = ClaimsSchema
	out.Columns = append([]string{}, c.Columns...)
	out.Rows = append([]ClaimRow{}, c.Rows...)
	out.Corrections = append([]ClaimRow{}, c.Corrections...)
	return JSONValue(w, &out)
}

// ClaimsText writes the table, a line for each claim, and below it the reasons
// where a claim does not simply hold.
func ClaimsText(w io.Writer, c *Claims, s Style) error {
	t := &claimsText{style: s}
	t.table(c)
	t.reasons("Where a claim does not simply hold, and why:", c.Rows, false)
	t.reasons("What has been measured since:", c.Corrections, true)
	_, err := w.Write(t.b.Bytes())
	return err
}

type claimsText struct {
	b     bytes.Buffer
	style Style
}

// word is a cell in few columns: the verdict, and how long it took to come by it.
func (c *ClaimCell) word() string {
	word := clean(c.Verdict)
	switch word {
	case "does not hold":
		word = "does not"
	case "":
		return "–"
	}
	if c.TookMS > 0 {
		word += "  " + briefly(c.TookMS)
	}
	return word
}

// briefly is a time in two or three digits.
func briefly(ms float64) string {
	switch {
	case ms < 1:
		return "< 1 ms"
	case ms < 1000:
		return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
	}
	return strconv.FormatFloat(ms/1000, 'f', 1, 64) + " s"
}

func verdictTone(verdict string) tone {
	switch verdict {
	case VerdictHolds:
		return good
	case VerdictFailed, VerdictDiffers:
		return bad
	case "":
		return faint
	}
	return warn
}

func (t *claimsText) table(c *Claims) {
	widths := make([]int, len(c.Columns))
	head := "    "
	for i, name := range c.Columns {
		widths[i] = max(columns(clean(name)), len("does not"))
		for _, r := range c.Rows {
			widths[i] = max(widths[i], columns(r.Cells[i].word()))
		}
		head += "  " + padded(clean(name), widths[i])
	}
	t.line(t.style.paint(strong, head+"  shown by"))
	for _, r := range c.Rows {
		line := padded(clean(r.ID), 4)
		for i := range r.Cells {
			cell := &r.Cells[i]
			line += "  " + t.style.paint(verdictTone(cell.Verdict), padded(cell.word(), widths[i]))
		}
		t.line(line + "  " + t.style.paint(faint, clean(firstStory(r))))
	}
}

func padded(s string, n int) string { return s + strings.Repeat(" ", max(0, n-columns(s))) }

func firstStory(r ClaimRow) string {
	for _, c := range r.Cells {
		if len(c.Stories) > 0 {
			return c.Stories[0]
		}
	}
	return ""
}

func (t *claimsText) line(s string) { t.b.WriteString(strings.TrimRight(s, " ") + "\n") }

// wrapped writes a paragraph: first before its first line, indent before others.
func (t *claimsText) wrapped(first, indent, text string) {
	for i, part := range wrapWords(clean(text), t.style.width()-columns(indent)) {
		if i == 0 {
			t.line(first + part)
		} else {
			t.line(indent + part)
		}
	}
}

// reasons writes the claims that have something to say beyond "holds", or all.
func (t *claimsText) reasons(title string, rows []ClaimRow, all bool) {
	begun := false
	for _, r := range rows {
		groups := groupCells(r.Cells)
		if !all && len(groups) == 1 && groups[0].Verdict == VerdictHolds && groups[0].Because == "" {
			continue
		}
		if !begun {
			t.line("")
			t.line(t.style.paint(strong, title))
			begun = true
		}
		t.line("")
		t.wrapped(t.style.paint(strong, padded(clean(r.ID), 4)), "    ", r.Text)
		for _, g := range groups {
			t.group(g)
		}
	}
}

func (t *claimsText) group(g cellGroup) {
	lead := "    - " + t.style.paint(verdictTone(g.Verdict), g.Verdict)
	text := "on " + strings.Join(g.on, ", ")
	if g.Because != "" {
		text += ": " + g.Because
	}
	text += " (" + strings.Join(g.Stories, ", ") + ")"
	// The verdict is painted, so that its columns are counted apart.
	width := t.style.width() - 6
	for i, part := range wrapWords(clean(g.Verdict+" "+text), width) {
		if i > 0 {
			t.line("      " + part)
			continue
		}
		t.line(lead + strings.TrimPrefix(part, g.Verdict))
	}
	for _, f := range g.Failures {
		for _, part := range wrapWords(clean(f), width) {
			t.line("      " + t.style.paint(bad, part))
		}
	}
}

// cellGroup are the cells that say the same.
type cellGroup struct {
	ClaimCell
	on []string
}

func (g cellGroup) like(c ClaimCell) bool {
	return g.Verdict == c.Verdict && g.Because == c.Because &&
		slices.Equal(g.Stories, c.Stories) && slices.Equal(g.Failures, c.Failures)
}

// groupCells joins the columns of one verdict for one reason.
func groupCells(cells []ClaimCell) []cellGroup {
	var groups []cellGroup
	for _, c := range cells {
		if c.Verdict == "" {
			continue
		}
		at := slices.IndexFunc(groups, func(g cellGroup) bool { return g.like(c) })
		if at < 0 {
			at = len(groups)
			groups = append(groups, cellGroup{ClaimCell: c})
		}
		groups[at].on = append(groups[at].on, clean(c.Column))
	}
	return groups
}
