package report

import (
	"io"
	"strings"
)

// Columns of a text ladder. The two sides share what time and arrows leave, and
// a side is never too narrow for a state's name.
const (
	timeWidth   = 11
	arrowWidth  = 38
	sideWidth   = 12
	frameWidth  = 6 // blanks and the hosts' lines
	arrowMargin = 6 // what an arrow needs besides its label
)

// LadderText writes a ladder as text: times at the left, a line for each host,
// arrows between them, and beside each line what its host did. No line is wider
// than the style allows.
func LadderText(w io.Writer, l *Ladder, s Style) error {
	t := &ladderText{style: s}
	rest := s.width() - timeWidth - frameWidth
	t.side = max(sideWidth, (rest-min(arrowWidth, s.width()*arrowWidth/100))/2)
	t.arrow = rest - 2*t.side
	if l.Title != "" {
		t.put(s.paint(strong, shorten(l.Title, s.width())))
		t.put("")
	}
	t.row("", [2]string{shorten(l.Hosts[0], t.side), shorten(l.Hosts[1], t.side)}, [2]tone{strong, strong}, "│"+strings.Repeat(" ", t.arrow)+"│")
	rungs := l.rungs()
	names := labels(rungs, t.arrow-arrowMargin)
	for i := range rungs {
		t.rung(&rungs[i], names[i])
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

type ladderText struct {
	b           strings.Builder
	style       Style
	side, arrow int
}

func (t *ladderText) put(line string) { t.b.WriteString(strings.TrimRight(line, " ") + "\n") }

// row writes one line: time, left, the middle, right.
func (t *ladderText) row(at string, sides [2]string, tones [2]tone, middle string) {
	pad := func(n int) string { return strings.Repeat(" ", max(0, n)) }
	t.put(pad(timeWidth-columns(at)) + t.style.paint(faint, at) + "  " +
		pad(t.side-columns(sides[0])) + t.style.paint(tones[0], sides[0]) + " " + middle + " " +
		t.style.paint(tones[1], sides[1]))
}

func (t *ladderText) rung(r *Rung, label string) {
	at := shorten(elapsed(r.At), timeWidth)
	if r.Note != "" {
		t.note(at, r)
		return
	}
	cells := [2][]cell{t.cells(r.Beside[0]), t.cells(r.Beside[1])}
	middle := "│" + strings.Repeat(" ", t.arrow) + "│"
	for n := 0; n == 0 || n < max(len(cells[0]), len(cells[1])); n++ {
		var texts [2]string
		var tones [2]tone
		for side := range cells {
			if n < len(cells[side]) {
				texts[side], tones[side] = cells[side][n].text, cells[side][n].tone
			}
		}
		drawn := middle
		if n == 0 && r.Arrow != nil {
			drawn = t.draw(r.Arrow, label)
		}
		t.row(at, texts, tones, drawn)
		at = ""
	}
}

// note writes what concerns both hosts, across the whole width.
func (t *ladderText) note(at string, r *Rung) {
	tone := faint
	if r.Bad {
		tone = bad
	}
	for _, part := range wrapWords(clean(r.Note), t.style.width()-timeWidth-2) {
		t.put(strings.Repeat(" ", max(0, timeWidth-columns(at))) + t.style.paint(faint, at) + "  " + t.style.paint(tone, part))
		at = ""
	}
}

// cell is one line beside a host.
type cell struct {
	text string
	tone tone
}

// cells lays out remarks: states on the line of the call that brought them
// about where there is room.
func (t *ladderText) cells(all []Remark) []cell {
	var out []cell
	for _, r := range all {
		text, tone := clean(r.text()), plain
		if r.State != 0 {
			tone = note
		}
		for _, part := range wrapWords(text, t.side) {
			out = append(out, cell{part, tone})
		}
	}
	return out
}

// draw is the arrow with its label: "├─ FIN|ACK seq 1 ack 1 ───▶│".
func (t *ladderText) draw(a *Arrow, label string) string {
	label = " " + shorten(label, t.arrow-arrowMargin) + " "
	tone := plain
	reach := t.arrow - 2 // from the tail to the head
	head, rest := "▶", ""
	if a.From == 1 {
		head = "◀"
	}
	if a.Lost {
		tone = warn
		reach = max(columns(label)+2, reach*3/4)
		head, rest = "x", strings.Repeat(" ", t.arrow-2-reach)
	}
	dashes := strings.Repeat("─", max(0, reach-columns(label)))
	if a.From == 0 {
		return "├" + t.style.paint(tone, "─"+label+dashes+head) + rest + "│"
	}
	return "│" + rest + t.style.paint(tone, head+dashes+label+"─") + "┤"
}

// wrapWords breaks clean text into lines of at most n columns, between words
// where that is possible.
func wrapWords(s string, n int) []string {
	var out []string
	line := ""
	for _, word := range strings.Fields(s) {
		word = shorten(word, n)
		switch {
		case line == "":
			line = word
		case columns(line)+1+columns(word) <= n:
			line += " " + word
		default:
			out = append(out, line)
			line = word
		}
	}
	return append(out, line)
}
