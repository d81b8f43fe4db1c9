package live

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/report"
	"github.com/closewait/closewait/internal/watch"
)

// list is the table of findings.
type list struct {
	rows   []watch.Row
	id     string // of the finding that the cursor is on
	at     int    // its place in rows
	chosen bool   // by the user: before, the cursor is on the first, whichever that is
	top    int
	filter string
	typing bool
	sort   watch.Sort
}

// arrange takes over a picture, or another filter or order.
func (l *list) arrange(p *watch.Picture) {
	l.rows = nil
	if p != nil {
		l.rows = p.Arrange(l.filter, l.sort)
	}
	if !l.chosen {
		l.place(0)
		return
	}
	for i := range l.rows {
		if l.rows[i].ID == l.id {
			l.at = i
			return
		}
	}
	l.place(l.at) // it is gone: its neighbour
}

// place puts the cursor on a place.
func (l *list) place(at int) {
	l.at = max(0, min(at, len(l.rows)-1))
	l.id = ""
	if l.at < len(l.rows) {
		l.id = l.rows[l.at].ID
	}
}

func (l *list) current() (watch.Row, bool) {
	if l.at >= len(l.rows) {
		return watch.Row{}, false
	}
	return l.rows[l.at], true
}

func (l *list) key(name string, p *watch.Picture) {
	const page = 10
	l.chosen = l.chosen || name != "s" && name != "/"
	switch name {
	case "up", "k":
		l.place(l.at - 1)
	case "down", "j":
		l.place(l.at + 1)
	case "pgup", "ctrl+b":
		l.place(l.at - page)
	case "pgdown", "ctrl+f":
		l.place(l.at + page)
	case "home", "g":
		l.place(0)
	case "end", "G":
		l.place(len(l.rows) - 1)
	case "s":
		l.sort = l.sort.Next()
		l.arrange(p)
	case "/":
		l.typing = true
	}
}

// mostFilter bounds what may be typed.
const mostFilter = 200

// typeKey takes a key while a filter is typed; the list follows each.
func (l *list) typeKey(name, text string, p *watch.Picture) {
	switch name {
	case "enter":
		l.typing = false
	case "esc":
		l.typing, l.filter = false, ""
	case "backspace":
		if _, n := utf8.DecodeLastRuneInString(l.filter); n > 0 {
			l.filter = l.filter[:len(l.filter)-n]
		}
	case "ctrl+u":
		l.filter = ""
	default:
		if len(l.filter)+len(text) <= mostFilter {
			l.filter += text
		}
	}
	l.arrange(p)
}

// columns of the table.
type columns struct{ mark, count, trend, rate, ages, ends, cause, who int }

func columnsFor(width int) columns {
	c := columns{mark: 4, count: 5, trend: 6, rate: 7, ages: len(watch.AgeNames), ends: 8, cause: 14}
	if width >= 100 {
		c.count, c.trend, c.cause = 6, 12, 17
	}
	if width >= wide {
		c.trend = 40
	}
	c.who = max(8, width-2-c.mark-c.count-c.trend-c.rate-c.ages-c.ends-c.cause-7)
	return c
}

// listLines are the table, what the cursor is on, and the latest events.
func (m *model) listLines() []string {
	room := m.room()
	preview, events := m.preview(), m.events(max(1, room/4))
	table := max(1, room-1-len(preview)-len(events))
	c := columnsFor(m.width)
	lines := []string{m.paint(faint, m.titles(c))}
	l := &m.list
	top := max(0, min(l.top, l.at, len(l.rows)-table)) // View may not keep it: the cursor decides
	if l.at >= top+table {
		top = l.at - table + 1
	}
	for i := top; i < min(top+table, len(l.rows)); i++ {
		lines = append(lines, m.row(&l.rows[i], c, i == l.at))
	}
	if len(l.rows) == 0 {
		lines = append(lines, m.nothing())
	}
	for len(lines) < table+1 {
		lines = append(lines, "")
	}
	return append(append(lines, preview...), events...)
}

// nothing is what stands in an empty table.
func (m *model) nothing() string {
	switch {
	case m.list.filter != "":
		return "Nothing matches. Esc drops the filter."
	case m.o.Filter != "":
		return "Nothing half-closed matches " + report.Shorten(m.o.Filter, 60) + "."
	}
	return m.paint(good, "No connection is half-closed.")
}

func (m *model) titles(c columns) string {
	who := "WHO"
	if m.list.sort != watch.BySeverity {
		who += " by " + m.list.sort.String()
	}
	if f := m.list.filter; f != "" {
		filter := " (filter: " + report.Shorten(f, 20) + ")"
		if ansi.StringWidth(who+filter) > c.who {
			filter = " /" + report.Shorten(f, 20) // as it was typed; what does not fit is cut
		}
		who += filter
	}
	return "  " + strings.Join([]string{
		fit("", c.mark), right("STUCK", c.count), fit("TREND", c.trend), right("GROWTH", c.rate), fit("AGES", c.ages),
		fit("ENDS", c.ends), fit("CAUSE", c.cause), fit(who, c.who),
	}, " ")
}

func (m *model) row(r *watch.Row, c columns, here bool) string {
	mark := map[string]string{"CRITICAL": "CRIT", "WARNING": "WARN", "INFO": "info", "OK": "ok"}[report.SeverityWord(r.Finding)]
	cells := []struct {
		tone tone
		text string
	}{
		{severityTone(r.Finding), fit(mark, c.mark)}, {strong, right(report.Number(r.Count), c.count)},
		{note, watch.Sparkline(r.Counts, c.trend)}, {plain, right(growth(r), c.rate)}, {faint, fit(r.Ages.String(), c.ages)},
		{plain, fit(m.ends(r.Finding), c.ends)}, {note, fit(report.Shorten(string(r.Cause), c.cause), c.cause)},
		{plain, fit(who(r.Finding), c.who)},
	}
	var texts []string
	for _, cell := range cells {
		if !here {
			cell.text = m.paint(cell.tone, cell.text)
		}
		texts = append(texts, cell.text)
	}
	if line := strings.Join(texts, " "); here {
		return m.paint(chosen, "› "+line)
	}
	return "  " + strings.Join(texts, " ")
}

// growth is how fast a row grows, in few columns: "+2.1/m", "0", "~+3/h".
func growth(r *watch.Row) string {
	if !r.Known {
		return ""
	}
	lead := ""
	if r.Over == 0 {
		lead = "~"
	}
	n, unit := r.PerHour, "/h"
	switch size := max(n, -n); {
	case size == 0:
		return lead + "0"
	case size >= 3600:
		n, unit = n/3600, "/s"
	case size >= 60:
		n, unit = n/60, "/m"
	case size < 1:
		n, unit = n*24, "/d"
	}
	if n >= 9.95 || n <= -9.95 { // seven columns hold no more
		return fmt.Sprintf("%s%+.0f%s", lead, n, unit)
	}
	return lead + strings.Replace(fmt.Sprintf("%+.1f%s", n, unit), ".0/", "/", 1)
}

// ends is the outlook in eight columns.
func (m *model) ends(f *diagnose.Finding) string {
	switch o := f.Outlook; {
	case o.Kind == diagnose.OnWrite:
		return "on write"
	case o.At != nil:
		return string(o.Kind) + " " + o.At.In(m.o.Location).Format("15:04")
	default:
		return string(o.Kind)
	}
}

// who is the owner and the service, as short as it can be.
func who(f *diagnose.Finding) string {
	name := "(nobody)"
	if f.Owner != nil {
		name = fmt.Sprintf("%s %d", report.Shorten(firstOf(f.Owner.Title, firstOf(f.Owner.Comm, "pid")), 40), f.Owner.PID)
	}
	switch {
	case f.Direction == diagnose.Inbound && f.Local != "*":
		name += " " + report.Shorten(f.Local, 50)
	case f.Remote != "*" && f.Remote != "":
		name += " → " + report.Shorten(f.Remote, 50)
	}
	return name
}

// wide is a screen that has room for whole event lines.
const wide = 140

// preview says what the cursor is on.
func (m *model) preview() []string {
	r, ok := m.list.current()
	if !ok {
		return nil
	}
	lines := []string{""}
	lines = append(lines, wrap(report.Headline(r.Finding)+".", m.width, 2)...)
	if m.height >= 20 {
		lines = append(lines, wrap(report.Shorten(r.Advice.Meaning, 500), m.width, 2)...)
	}
	return lines
}

// events are the latest, under a title.
func (m *model) events(most int) []string {
	lines := []string{"", m.paint(faint, "EVENTS")}
	all := m.shown.Events
	for i := max(0, len(all)-most); i < len(all); i++ {
		text := watch.Line(&all[i], m.o.Location)
		if m.width < wide {
			text = watch.Brief(&all[i], m.o.Location)
		}
		switch all[i].Kind {
		case watch.Stuck, watch.Masked, watch.Dropped:
			text = m.paint(warn, text)
		}
		lines = append(lines, text)
	}
	return lines
}
