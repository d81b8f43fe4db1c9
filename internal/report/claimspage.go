package report

import (
	"bytes"
	"io"
	"slices"
	"strings"
)

// ClaimsBook is a table of claims with what shows each.
type ClaimsBook struct {
	Claims
	// On says what the engines were: "Linux 6.18.44".
	On string
	// Ladders are the stories' diagrams.
	Ladders []ClaimLadder
}

// ClaimLadder is one story as it went.
type ClaimLadder struct {
	Story, Engine string
	Ladder        *Ladder
	// Notes say how time was shortened.
	Notes []string
}

// ClaimsPage writes the book as a page of Markdown: the table, then each claim
// with its reasons, corrections and diagrams. The same runs give the same page.
func ClaimsPage(w io.Writer, c *ClaimsBook) error {
	p := &claimsPage{book: c, shown: map[string]bool{}}
	p.head()
	p.table()
	for i := range c.Rows {
		if err := p.claim(&c.Rows[i]); err != nil {
			return err
		}
	}
	_, err := w.Write(p.b.Bytes())
	return err
}

type claimsPage struct {
	b     bytes.Buffer
	book  *ClaimsBook
	shown map[string]bool // stories whose diagram is on the page already
}

// pageColumns is how wide the page's lines are.
const pageColumns = 100

func (p *claimsPage) say(parts ...string) {
	for _, s := range parts {
		p.b.WriteString(s)
	}
}

// paragraph writes wrapped text, with lead before its first line and hang before
// the others.
func (p *claimsPage) paragraph(lead, hang, text string) {
	for i, line := range wrapWords(clean(text), pageColumns-columns(hang)-columns(lead)) {
		if i == 0 {
			p.say(lead, line, "\n")
		} else {
			p.say(hang, line, "\n")
		}
	}
}

func (p *claimsPage) head() {
	p.say("# What is true of CLOSE_WAIT\n\n")
	p.paragraph("", "", "In 2013 a network engineer explained on a mailing list why connections pile up in CLOSE_WAIT. "+
		"Here is each of his claims, played as a story on a model of TCP, on a real kernel and on gVisor's netstack, "+
		"with what really crossed the link; and what has been measured to be otherwise since. "+
		"\"local\" is the side in CLOSE_WAIT, \"remote\" the side that sent the FIN.")
	p.say("\n")
	p.paragraph("", "", "This page is written by a run of the lab on "+clean(p.book.On)+": `closewait lab --page docs/claims.md`. "+
		"Times in the diagrams are the story's; where the kernel's timers were shortened, a note says by how much.")
	p.say("\n")
}

func (p *claimsPage) table() {
	p.say("| | ", strings.Join(p.book.Columns, " | "), " | |\n|---|")
	p.say(strings.Repeat("---|", len(p.book.Columns)+1), "\n")
	for _, r := range p.book.Rows {
		p.say("| [", r.ID, "](#", strings.ToLower(r.ID), ") |")
		for i := range r.Cells {
			p.say(" ", verdictOf(&r.Cells[i]), " |")
		}
		p.say(" ", inTable(r.Text), " |\n")
	}
}

// inTable is text inside a table.
func inTable(s string) string { return strings.ReplaceAll(clean(s), "|", "\\|") }

func verdictOf(c *ClaimCell) string {
	if c.Verdict == "" {
		return "–"
	}
	return clean(c.Verdict)
}

// claim writes one claim, its corrections, and the diagrams of both.
func (p *claimsPage) claim(r *ClaimRow) error {
	p.say("\n## ", clean(r.ID), "\n\n")
	p.paragraph("> ", "> ", r.Text)
	p.say("\n")
	p.results(r)
	stories := storiesOf(r)
	for i := range p.book.Corrections {
		c := &p.book.Corrections[i]
		if c.ID != r.ID {
			continue
		}
		p.say("\n")
		p.paragraph("**Measured since.** ", "", c.Text)
		p.say("\n")
		p.results(c)
		stories = append(stories, storiesOf(c)...)
	}
	for _, name := range stories {
		if err := p.diagram(name); err != nil {
			return err
		}
	}
	return nil
}

func (p *claimsPage) results(r *ClaimRow) {
	for _, g := range groupCells(r.Cells) {
		text := "**" + clean(g.Verdict) + "** on " + strings.Join(g.on, ", ")
		if g.Because != "" {
			text += ": " + g.Because
		}
		p.paragraph("- ", "  ", text)
		for _, f := range g.Failures {
			p.paragraph("  - ", "    ", f)
		}
	}
}

func storiesOf(r *ClaimRow) (names []string) {
	for _, c := range r.Cells {
		for _, s := range c.Stories {
			if !slices.Contains(names, s) {
				names = append(names, s)
			}
		}
	}
	return names
}

// diagram draws a story where it is first mentioned.
func (p *claimsPage) diagram(story string) error {
	at := slices.IndexFunc(p.book.Ladders, func(l ClaimLadder) bool { return l.Story == story })
	if at < 0 {
		return nil
	}
	l := &p.book.Ladders[at]
	if p.shown[story] {
		p.say("\nSee also the diagram of `", clean(story), "` above.\n")
		return nil
	}
	p.shown[story] = true
	p.say("\n`", clean(story), "`, played on ", clean(l.Engine), ":\n\n```\n")
	if err := LadderText(&p.b, l.Ladder, Style{Width: pageColumns}); err != nil {
		return err
	}
	p.say("```\n")
	if len(l.Notes) > 0 {
		p.say("\n")
		p.paragraph("", "", "Shortened: "+strings.Join(l.Notes, "; ")+".")
	}
	return nil
}
