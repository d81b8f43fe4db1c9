package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/closewait/closewait/tcp"
)

// The picture's measures, in pixels.
const (
	svgWidth  = 960
	svgLeft   = 336 // the hosts' lines
	svgRight  = 712
	svgTime   = 96 // right edge of the times
	svgGap    = 14 // from a host's line to what is written beside it
	svgTop    = 92 // where the lines begin, under title and names
	svgRow    = 30 // a rung's least height
	svgLine   = 20 // of text
	svgSlope  = 12 // how much lower an arrow ends than it begins
	svgLetter = 7.3
	svgNote   = 108 // columns of a note
	svgLabel  = 48  // of what stands on an arrow
	svgBeside = 28  // of what stands beside a host's line
)

// svgStyle follows the reader's light or dark theme. Every rule is bound to the
// picture's class, so that several can stand in one page. No CSS variables: few
// viewers outside browsers know them.
const svgStyle = `
.cw-ladder{font:14px system-ui,sans-serif;fill:#1f2328}
.cw-ladder .paper{fill:#fff}
.cw-ladder .title{font-size:18px;font-weight:600}
.cw-ladder .host{font-weight:600;text-anchor:middle}
.cw-ladder .time,.cw-ladder .note{font-size:13px;fill:#59636e}
.cw-ladder .time,.cw-ladder .left{text-anchor:end}
.cw-ladder .mid{text-anchor:middle}
.cw-ladder .wire{font:12px ui-monospace,monospace;text-anchor:middle;paint-order:stroke;stroke-width:4px;stroke-linejoin:round;stroke:#fff}
.cw-ladder .line{stroke-width:2;fill:none;stroke:#8c959f}
.cw-ladder .line.half{stroke-width:5;stroke:#bc4c00}
.cw-ladder .line.over{stroke-width:1.5;stroke-dasharray:2 5}
.cw-ladder .seg{stroke-width:1.6;fill:none;stroke:#0969da}
.cw-ladder .head{fill:#0969da}
.cw-ladder .cross{stroke-width:2.2;fill:none}
.cw-ladder path.lost{stroke:#cf222e}
.cw-ladder .seg.lost{stroke-dasharray:6 4}
.cw-ladder text.lost,.cw-ladder text.bad{fill:#cf222e}
.cw-ladder .pill{fill:#ddf4ff}
.cw-ladder .pill.half{fill:#ffe2c7}
.cw-ladder .pill.over{fill:#e4e8ec}
.cw-ladder .state{font:600 12px ui-monospace,monospace}
@media (prefers-color-scheme:dark){
.cw-ladder{fill:#e6edf3}
.cw-ladder .paper{fill:#0d1117}
.cw-ladder .time,.cw-ladder .note{fill:#9198a1}
.cw-ladder .wire{stroke:#0d1117}
.cw-ladder .line{stroke:#6e7681}
.cw-ladder .line.half{stroke:#f0883e}
.cw-ladder .seg{stroke:#58a6ff}
.cw-ladder .head{fill:#58a6ff}
.cw-ladder path.lost{stroke:#ff7b72}
.cw-ladder text.lost,.cw-ladder text.bad{fill:#ff7b72}
.cw-ladder .pill{fill:#0c2d52}
.cw-ladder .pill.half{fill:#4d2d12}
.cw-ladder .pill.over{fill:#2a313c}
}
`

// LadderSVG writes a ladder as a picture for a web page: it stands alone or
// inside HTML, in light and dark, and tells its title and description to those
// who can not see it. All text is escaped.
func LadderSVG(w io.Writer, l *Ladder) error {
	rungs := l.rungs()
	p := &picture{rungs: rungs, names: labels(rungs, svgLabel)}
	p.place()
	p.open(l)
	p.lifelines()
	for i := range rungs {
		p.rung(i)
	}
	p.b.WriteString("</svg>\n")
	_, err := io.WriteString(w, p.b.String())
	return err
}

// picture is an SVG under way.
type picture struct {
	b      strings.Builder
	rungs  []Rung
	names  []string
	tops   []float64 // where each rung begins
	bottom float64
}

// place decides how high every rung is.
func (p *picture) place() {
	y := float64(svgTop + 14)
	for i := range p.rungs {
		p.tops = append(p.tops, y)
		r := &p.rungs[i]
		lines := max(height(r.Beside[0]), height(r.Beside[1]))
		if r.Note != "" {
			lines = len(p.noteLines(r))
		}
		y += max(svgRow, float64(lines*svgLine)+10)
	}
	p.bottom = y + 6
}

// besideLines is how a remark is broken into lines.
func besideLines(r Remark) []string { return wrapWords(clean(r.text()), svgBeside) }

// height is how many lines remarks take.
func height(all []Remark) int {
	n := 0
	for _, r := range all {
		n += len(besideLines(r))
	}
	return n
}

func (p *picture) noteLines(r *Rung) []string {
	return wrapWords(clean(r.Note), svgNote)
}

func (p *picture) printf(format string, args ...any) { fmt.Fprintf(&p.b, format, args...) }

// text writes one line of text that may come from anywhere.
func (p *picture) text(class string, x, y float64, s string) {
	p.printf(`<text class="%s" x="%s" y="%s">%s</text>`+"\n", class, px(x), px(y), escapeXML(s))
}

func (p *picture) open(l *Ladder) {
	height := px(p.bottom + 24)
	p.printf(`<svg xmlns="http://www.w3.org/2000/svg" class="cw-ladder" role="img" viewBox="0 0 %d %s" width="%d" height="%s" style="max-width:100%%;height:auto">`+"\n",
		svgWidth, height, svgWidth, height)
	p.printf("<title>%s</title>\n<desc>%s</desc>\n<style>%s</style>\n", escapeXML(l.Title), escapeXML(l.Description), svgStyle)
	p.printf(`<rect class="paper" width="%d" height="%s" rx="8"/>`+"\n", svgWidth, height)
	p.text("title", 24, 36, shorten(l.Title, 84))
	p.text("host", svgLeft, svgTop-14, shorten(l.Hosts[0], 30))
	p.text("host", svgRight, svgTop-14, shorten(l.Hosts[1], 30))
}

// lifelines draws each host's line, by the state that it is in.
func (p *picture) lifelines() {
	for side, x := range [2]float64{svgLeft, svgRight} {
		from, kind := float64(svgTop), "over"
		draw := func(to float64) {
			if to > from {
				p.printf(`<path class="line %s" d="M%s %sV%s"/>`+"\n", kind, px(x), px(from), px(to))
			}
			from = to
		}
		for i := range p.rungs {
			beside := p.rungs[i].Beside[side]
			for n, r := range beside {
				if r.State == 0 {
					continue
				}
				draw(p.tops[i] + float64(height(beside[:n])*svgLine))
				kind = kindOf(r.State)
			}
		}
		draw(p.bottom)
	}
}

// kindOf sorts states by how they are drawn.
func kindOf(s tcp.State) string {
	switch {
	case s.HalfClosed():
		return "half"
	case s == tcp.Closed:
		return "over"
	}
	return "open"
}

func (p *picture) rung(i int) {
	r, y := &p.rungs[i], p.tops[i]
	if i == 0 || elapsed(p.rungs[i-1].At) != elapsed(r.At) || r.Note != "" {
		p.text("time", svgTime, y+4, shorten(elapsed(r.At), timeWidth))
	}
	if r.Note != "" {
		p.note(r, y)
		return
	}
	for side := range r.Beside {
		line := y
		for _, remark := range r.Beside[side] {
			for _, part := range besideLines(remark) {
				p.remark(side, line, remark.State, part)
				line += svgLine
			}
		}
	}
	if r.Arrow != nil {
		p.arrow(i)
	}
}

func (p *picture) note(r *Rung, y float64) {
	class := "note mid"
	if r.Bad {
		class = "note mid bad"
	}
	mid := float64(svgLeft+svgRight) / 2
	for n, part := range p.noteLines(r) {
		// A ground under the words keeps the lifelines off them.
		half := float64(columns(part))*svgLetter/2 + 6
		line := y + float64(n*svgLine)
		p.printf(`<rect class="paper" x="%s" y="%s" width="%s" height="20"/>`+"\n", px(mid-half), px(line-11), px(2*half))
		p.text(class, mid, line+4, part)
	}
}

// remark writes beside a host's line, a state in a box of its own.
func (p *picture) remark(side int, y float64, state tcp.State, text string) {
	class, x := "left", float64(svgLeft-svgGap)
	if side == 1 {
		class, x = "right", float64(svgRight+svgGap)
	}
	if state == 0 {
		p.text(class, x, y+4, text)
		return
	}
	wide := float64(columns(text))*svgLetter + 16
	left := x
	if side == 0 {
		left = x - wide
	}
	p.printf(`<rect class="pill %s" x="%s" y="%s" width="%s" height="18" rx="9"/>`+"\n", kindOf(state), px(left), px(y-9), px(wide))
	p.text("state mid", left+wide/2, y+4, text)
}

// arrow draws a segment from its sending to where it arrives, or gets lost.
func (p *picture) arrow(i int) {
	a, y := p.rungs[i].Arrow, p.tops[i]
	x0, x1, way := float64(svgLeft+4), float64(svgRight-4), 1.0
	if a.From == 1 {
		x0, x1, way = x1, x0, -1
	}
	end := p.arrival(i)
	class := ""
	if a.Lost {
		class = " lost"
		x1 = x0 + (x1-x0)*0.72
		end = y + (end-y)*0.72
	}
	p.printf(`<path class="seg%s" d="M%s %sL%s %s"/>`+"\n", class, px(x0), px(y), px(x1-way*4), px(end))
	if a.Lost {
		p.printf(`<path class="cross lost" d="M%s %sl10 10m0 -10l-10 10"/>`+"\n", px(x1-5), px(end-5))
	} else {
		p.printf(`<path class="head" d="M%s %sl%s -4.5v9z"/>`+"\n", px(x1), px(end), px(-way*9))
	}
	label := p.names[i]
	if a.Lost {
		label += " lost"
	}
	// On a steep arrow, nearer to the sender: there is less to run into.
	along := 0.5
	if end > y+svgSlope {
		along = 0.36
	}
	if a.Lost {
		along /= 0.72 // the middle between the hosts, not of what is drawn
	}
	p.text("wire"+class, x0+(x1-x0)*along, y+(end-y)*along-7, shorten(label, svgLabel+5))
}

// arrival is how low an arrow ends: below its start, and not above what else
// was sent before it arrived.
func (p *picture) arrival(i int) float64 {
	end := p.tops[i] + svgSlope
	a := p.rungs[i].Arrow
	for k := i + 1; k < len(p.rungs) && !a.Lost && p.rungs[k].At < a.Arrives; k++ {
		if p.rungs[k].Arrow != nil {
			end = p.tops[k] + svgSlope
		}
	}
	return end
}

// px writes a measure with no more digits than can be seen.
func px(v float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
}

// escapeXML makes any text safe as XML character data or attribute value.
func escapeXML(s string) string {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(clean(s))); err != nil || !utf8.Valid(b.Bytes()) {
		return ""
	}
	return b.String()
}
