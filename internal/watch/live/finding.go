package live

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/report"
	"github.com/closewait/closewait/internal/watch"
)

// findingView is one finding, opened.
type findingView struct {
	row    watch.Row
	report *diagnose.Report
	// gone: the latest picture has it no more; the last one that had stays.
	gone   bool
	cursor int // the socket chosen
	scroll scroll
	// As last drawn: how many lines stand before the sockets, and their columns.
	head   int
	widths widths
}

func newFindingView(row watch.Row, r *diagnose.Report) *findingView {
	return &findingView{row: row, report: r}
}

// refresh takes over the newer picture. The cursor stays on its socket.
func (v *findingView) refresh(p *watch.Picture) {
	for i := range p.Rows {
		if p.Rows[i].ID != v.row.ID {
			continue
		}
		chosen := v.chosen()
		v.row, v.report, v.gone = p.Rows[i], p.Report, false
		v.cursor = min(v.cursor, max(0, len(v.row.Sockets)-1))
		for at := range v.row.Sockets {
			if chosen != (observe.Key{}) && v.row.Sockets[at].Key == chosen {
				v.cursor = at
				break
			}
		}
		return
	}
	v.gone = true
}

func (v *findingView) chosen() observe.Key {
	if v.cursor >= len(v.row.Sockets) {
		return observe.Key{}
	}
	return v.row.Sockets[v.cursor].Key
}

func (v *findingView) key(name string, room int) {
	move := func(to int) {
		v.cursor = max(0, min(to, len(v.row.Sockets)-1))
		v.scroll.reveal(v.head+v.cursor, room)
	}
	switch name {
	case "up", "k":
		if v.cursor == 0 { // above the sockets, it scrolls
			v.scroll.key(name, room)
			return
		}
		move(v.cursor - 1)
	case "down", "j":
		if v.scroll.top+room <= v.head && v.cursor == 0 { // they are not in sight yet
			v.scroll.key(name, room)
			return
		}
		move(v.cursor + 1)
	case "end", "G":
		move(len(v.row.Sockets) - 1)
	case "home", "g":
		v.cursor = 0
		v.scroll.key(name, room)
	default:
		v.scroll.key(name, room)
	}
}

// openSocket opens the chosen socket.
func (v *findingView) openSocket(story func(observe.Key) (*watch.Story, bool)) *socketView {
	if v.cursor >= len(v.row.Sockets) {
		return nil
	}
	s := v.row.Sockets[v.cursor]
	view := &socketView{key: s.Key, detail: s, finding: v.row.Finding}
	view.refresh(story)
	return view
}

// lines are what fits of the finding.
func (v *findingView) lines(m *model) []string {
	v.widths = v.fitted(m.width)
	head := v.about(m)
	v.head = len(head)
	v.scroll.n = len(head) + len(v.row.Sockets)
	v.scroll.hold(m.room())
	var out []string
	for i := v.scroll.top; i < min(v.scroll.n, v.scroll.top+m.room()); i++ {
		if i < len(head) {
			out = append(out, head[i])
			continue
		}
		out = append(out, v.socketLine(m, i-len(head)))
	}
	return out
}

// about is the report's entry, how the finding came along, and the sockets' titles.
func (v *findingView) about(m *model) []string {
	var lines []string
	if v.gone {
		lines = append(lines, m.paint(warn, "This finding is no more: its connections ended, or count as another. This is how it was last."), "")
	}
	bare := *v.row.Finding
	bare.Sockets = nil
	var b strings.Builder
	style := report.Style{Width: min(m.width, report.DefaultWidth), Color: m.o.Color, Location: m.o.Location, Now: v.report.TakenAt}
	if err := report.Entry(&b, v.report, &bare, style); err == nil { // a Builder takes all
		lines = append(lines, strings.Split(strings.TrimRight(b.String(), "\n"), "\n")...)
	}
	width := max(8, min(60, m.width-54))
	span := report.Span(m.o.Interval * time.Duration(max(1, min(width, len(v.row.Counts)))))
	lines = append(lines, "  "+fit("trend", 8)+m.paint(note, watch.Sparkline(v.row.Counts, width))+"  "+rateWords(&v.row)+", the last "+span)
	lines = append(lines, "  "+fit("ages", 8)+ageWords(v.row.Ages))
	w := v.widths
	lines = append(lines, "", m.paint(faint, "  "+strings.Join([]string{
		fit("LOCAL", w.local), fit("REMOTE", w.remote), right("RECV-Q", 7), right("SEND-Q", 7), fit("AGE", w.age), fit("TIMER", w.timer), "PID/FD",
	}, " ")))
	return lines
}

func rateWords(r *watch.Row) string {
	switch {
	case !r.Known:
		return "growth not known yet"
	case r.PerHour == 0:
		return "not growing"
	case r.PerHour < 0:
		return "shrinking " + report.Rate(r.PerHour)
	}
	return "growing " + report.Rate(r.PerHour)
}

// ageWords is the histogram with its figures.
func ageWords(a watch.Ages) string {
	var parts []string
	for i, n := range a {
		if n > 0 {
			parts = append(parts, watch.AgeNames[i]+": "+report.Number(n))
		}
	}
	return a.String() + "  " + strings.Join(parts, ", ")
}

// widths are those of the sockets' columns that depend on the screen.
type widths struct{ local, remote, age, timer int }

func (v *findingView) fitted(width int) widths {
	w := widths{local: 15, remote: 15, age: 10, timer: 10}
	for i := range v.row.Sockets[:min(100, len(v.row.Sockets))] {
		s := &v.row.Sockets[i]
		w.local, w.remote = max(w.local, len(s.Local)), max(w.remote, len(s.Remote))
		w.age, w.timer = max(w.age, len(report.Bracket(s.Age))), max(w.timer, len(s.Timer))
	}
	const others = 2 + 7 + 7 + 6 + 12 // the cursor, two queues, blanks, a pid and a descriptor
	for w.local+w.remote+w.age+w.timer > max(40, width-others) {
		widest := slices.MaxFunc([]*int{&w.timer, &w.age, &w.local, &w.remote}, func(a, b *int) int { return cmp.Compare(*a, *b) })
		*widest--
	}
	return w
}

func (v *findingView) socketLine(m *model, i int) string {
	s := &v.row.Sockets[i]
	var held []string
	for _, h := range s.FDs {
		held = append(held, fmt.Sprintf("%d/%d", h.PID, h.FD))
	}
	remote := s.Remote
	if remote == "" {
		remote = "-"
	}
	w := v.widths
	line := strings.Join([]string{
		fit(s.Local, w.local), fit(remote, w.remote), right(report.Number(int(s.RecvQ)), 7), right(report.Number(int(s.SendQ)), 7),
		fit(report.Bracket(s.Age), w.age), fit(s.Timer, w.timer), strings.Join(held, " "),
	}, " ")
	if i == v.cursor {
		return m.paint(chosen, "› "+line)
	}
	return "  " + line
}
