package report

import (
	"bufio"
	"strings"
)

// run is a stretch of text in one tone. Its text is clean.
type run struct {
	tone tone
	text string
}

// paragraph is running text that has not been broken into lines yet.
type paragraph []run

// say begins a paragraph.
func say(text string) paragraph { return paragraph{}.add(plain, text) }

// add appends text in a tone. It is the one way into a paragraph, so nothing
// gets there without having been cleaned.
func (p paragraph) add(t tone, text string) paragraph {
	if text == "" {
		return p
	}
	return append(p, run{t, clean(text)})
}

// say appends plain text.
func (p paragraph) say(text ...string) paragraph { return p.add(plain, strings.Join(text, "")) }

// word is a piece of a paragraph that is not broken unless it is wider than a
// line, and how many columns it takes.
type word struct {
	runs paragraph
	cols int
}

// words splits p at its spaces.
func (p paragraph) words() []word {
	var all []word
	var w word
	flush := func() {
		if len(w.runs) > 0 {
			all = append(all, w)
			w = word{}
		}
	}
	for _, r := range p {
		last := ""
		for i, part := range strings.Split(r.text, " ") {
			switch {
			case i > 0 && quantity(last, part):
				w.runs[len(w.runs)-1].text += " "
				w.cols++
			case i > 0:
				flush()
			}
			last = part
			if part != "" {
				w.runs = append(w.runs, run{r.tone, part})
				w.cols += columns(part)
			}
		}
	}
	flush()
	return all
}

// quantity reports whether a figure and its unit meet: "1 s" stays on one line.
func quantity(figure, unit string) bool {
	if figure == "" || strings.Trim(figure, "0123456789.,") != "" {
		return false
	}
	switch strings.TrimRight(unit, ",;:)") {
	case "ms", "s", "min", "h", "d":
		return true
	}
	return false
}

// lines breaks p into lines of at most width columns, the first of at most
// first columns. A word wider than a line is broken where the line ends.
func (p paragraph) lines(first, width int) []paragraph {
	var lines []paragraph
	var line paragraph
	room, used := first, 0
	next := func() {
		lines = append(lines, line)
		line, room, used = nil, width, 0
	}
	for _, w := range p.words() {
		if used > 0 && used+1+w.cols > room {
			next()
		}
		if used > 0 {
			line = line.space(w.runs[0].tone)
			used++
		}
		for w.cols > room-used {
			head, tail := w.split(room - used)
			line = append(line, head.runs...)
			next()
			w = tail
		}
		line = append(line, w.runs...)
		used += w.cols
	}
	if len(line) > 0 {
		next()
	}
	return lines
}

// space appends a space before a word in tone t. Inside a stretch of one tone
// it takes that tone, so that the stretch stays one escape sequence.
func (p paragraph) space(t tone) paragraph {
	if p[len(p)-1].tone != t {
		t = plain
	}
	return append(p, run{t, " "})
}

// split cuts w after at most room columns, and after one character at least.
func (w word) split(room int) (head, tail word) {
	for i, r := range w.runs {
		for at, c := range r.text {
			cols := columns(string(c))
			if head.cols+cols > room && (head.cols > 0 || len(head.runs) > 0 || at > 0) {
				head.runs = head.runs.piece(r.tone, r.text[:at])
				tail.runs = append(tail.runs.piece(r.tone, r.text[at:]), w.runs[i+1:]...)
				tail.cols = max(0, w.cols-head.cols)
				return head, tail
			}
			head.cols += cols
		}
		head.runs = append(head.runs, r)
	}
	return head, tail
}

func (p paragraph) piece(t tone, text string) paragraph {
	if text == "" {
		return p
	}
	return append(p, run{t, text})
}

// columns is how wide p is on one line.
func (p paragraph) columns() int {
	n := 0
	for _, r := range p {
		n += columns(r.text)
	}
	return n
}

// sheet writes paragraphs.
type sheet struct {
	w     *bufio.Writer
	style Style
}

// put writes text as it is. The bufio.Writer keeps the first error until Flush.
func (s sheet) put(text string) { _, _ = s.w.WriteString(text) }

func (s sheet) blank() { s.put("\n") }

// write puts p on lines that begin with hang spaces, the first with lead.
func (s sheet) write(lead paragraph, hang int, p paragraph) {
	s.writeTagged(lead, hang, p, nil)
}

// writeTagged is write with a tag at the right end of the first line.
func (s sheet) writeTagged(lead paragraph, hang int, p, tag paragraph) {
	width := s.style.width()
	first := width - max(lead.columns(), hang)
	if len(tag) > 0 {
		first -= tag.columns() + 2
	}
	for i, line := range p.lines(first, width-hang) {
		if i > 0 {
			s.spaces(hang)
			s.line(line)
			continue
		}
		s.runs(lead)
		s.spaces(hang - lead.columns())
		s.runs(line)
		if len(tag) > 0 {
			s.spaces(first - line.columns() + 2)
			s.runs(tag)
		}
		s.blank()
	}
}

func (s sheet) line(p paragraph) {
	s.runs(p)
	s.blank()
}

func (s sheet) runs(p paragraph) {
	for i := 0; i < len(p); {
		// Neighbours of one tone share one escape sequence.
		j, text := i+1, p[i].text
		for j < len(p) && p[j].tone == p[i].tone {
			text += p[j].text
			j++
		}
		s.put(s.style.paint(p[i].tone, text))
		i = j
	}
}

func (s sheet) spaces(n int) {
	if n > 0 {
		s.put(strings.Repeat(" ", n))
	}
}
