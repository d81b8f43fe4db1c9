package report

import (
	"bufio"
	"io"
	"strings"
)

// Page lays out one page of closewait explain. It knows as much markdown as
// those pages use: headings, paragraphs, lists, fenced code, tables (left as
// they stand), bold, code spans, and links, whose addresses are kept. The error
// is that of w.
func Page(w io.Writer, markdown string, s Style) error {
	out := bufio.NewWriter(w)
	p := &page{sheet: sheet{out, s}}
	for line := range strings.Lines(markdown) {
		p.line(strings.TrimRight(line, " \r\n"))
	}
	p.flush()
	return out.Flush()
}

// page collects the lines of one block until the block ends.
type page struct {
	sheet
	lead  string // the bullet or number of the block, with its indentation
	block []string
	code  bool // inside a fence
	begun bool // something has been written
	space bool // an empty line is due before the next block
}

func (p *page) line(line string) {
	body := strings.TrimLeft(line, " ")
	switch {
	case strings.HasPrefix(body, "```"):
		p.flush()
		p.code = !p.code
		p.due()
	case p.code:
		p.verbatim(line)
	case body == "":
		p.flush()
		p.space = p.begun
	case strings.HasPrefix(line, "#"):
		p.heading(line)
	case strings.HasPrefix(line, "|"):
		p.flush()
		p.due()
		p.put("  " + clean(line) + "\n")
	case bullet(body) != "":
		p.flush()
		p.lead = line[:len(line)-len(body)] + bullet(body)
		p.block = append(p.block, body[len(bullet(body)):])
	default:
		p.block = append(p.block, body)
	}
}

// bullet is the marker that begins a list item, with the space after it.
func bullet(s string) string {
	if strings.HasPrefix(s, "- ") || strings.HasPrefix(s, "* ") || strings.HasPrefix(s, "> ") {
		return s[:2]
	}
	digits := 0
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	if digits > 0 && digits <= 3 && strings.HasPrefix(s[digits:], ". ") {
		return s[:digits+2]
	}
	return ""
}

// due writes the empty line that parts two blocks.
func (p *page) due() {
	if p.space {
		p.blank()
	}
	p.space, p.begun = false, true
}

func (p *page) flush() {
	if len(p.block) == 0 {
		return
	}
	p.due()
	lead := say(p.lead)
	p.write(lead, min(lead.columns(), p.style.width()/2), p.inline(strings.Join(p.block, " ")))
	p.lead, p.block = "", nil
}

func (p *page) heading(line string) {
	p.flush()
	p.due()
	text := strings.TrimLeft(line, "# ")
	p.write(nil, 0, paragraph{}.add(strong, text))
	p.space = true
}

// verbatim writes a line of code: never wrapped, or it could not be copied.
func (p *page) verbatim(line string) {
	if line == "" {
		p.blank()
		return
	}
	p.put("    " + p.style.paint(note, clean(line)) + "\n")
}

// inline reads bold, code spans and links.
func (p *page) inline(s string) paragraph {
	var out paragraph
	for s != "" {
		i := strings.IndexAny(s, "`*[<")
		if i < 0 {
			return out.say(s)
		}
		out, s = out.say(s[:i]), s[i:]
		n, piece := p.mark(s)
		out, s = append(out, piece...), s[n:]
	}
	return out
}

// mark reads the markup that s begins with, and how long it is. What only looks
// like markup is text.
func (p *page) mark(s string) (int, paragraph) {
	switch {
	case strings.HasPrefix(s, "**"):
		if text, ok := enclosed(s, "**", "**"); ok {
			return len(text) + 4, paragraph{}.add(strong, text)
		}
		return 2, say("**")
	case s[0] == '`':
		if text, ok := enclosed(s, "`", "`"); ok {
			return len(text) + 2, p.codeSpan(text)
		}
	case s[0] == '<':
		if text, ok := enclosed(s, "<http", ">"); ok {
			return len(text) + 6, say("http" + text)
		}
	case s[0] == '[':
		text, ok := enclosed(s, "[", "](")
		if !ok {
			break
		}
		if address, ok := enclosed(s[len(text)+1:], "](", ")"); ok && !strings.Contains(address, " ") {
			return len(text) + len(address) + 4, p.link(text, address)
		}
	}
	return 1, say(s[:1])
}

// codeSpan keeps its backticks where no colour can tell it from the rest.
func (p *page) codeSpan(text string) paragraph {
	if p.style.Color {
		return paragraph{}.add(note, text)
	}
	return say("`" + text + "`")
}

func (p *page) link(text, address string) paragraph {
	if text == address {
		return say(address)
	}
	return say(text + " (" + address + ")")
}

// enclosed is the text between open, which s must begin with, and the next end.
func enclosed(s, open, end string) (string, bool) {
	rest, ok := strings.CutPrefix(s, open)
	if !ok {
		return "", false
	}
	i := strings.Index(rest, end)
	if i < 0 {
		return "", false
	}
	return rest[:i], true
}
