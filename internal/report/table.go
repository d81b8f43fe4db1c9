package report

import (
	"strings"

	"github.com/closewait/closewait/internal/diagnose"
)

// sockets lists every socket of a finding in aligned columns, one line each.
// Rows are never wrapped: a long IPv6 pair makes them wider than the rest, but
// a line stays one socket for grep.
func (t *text) sockets(all []diagnose.SocketDetail) {
	head := []string{"LOCAL", "REMOTE", "RECV-Q", "SEND-Q", "TIMER", "AGE", "ENDS", "PID/FD"}
	right := map[int]bool{2: true, 3: true}
	widths := make([]int, len(head))
	for i, h := range head {
		widths[i] = columns(h)
	}
	for i := range all {
		for c, cell := range cells(&all[i]) {
			widths[c] = max(widths[c], columns(cell))
		}
	}
	line := func(tone tone, row []string) {
		var b strings.Builder
		for c, cell := range row {
			pad := strings.Repeat(" ", widths[c]-columns(cell))
			switch {
			case right[c]:
				b.WriteString(pad + cell)
			case c == len(row)-1:
				b.WriteString(cell)
			default:
				b.WriteString(cell + pad)
			}
			if c < len(row)-1 {
				b.WriteString("  ")
			}
		}
		t.put("  " + t.style.paint(tone, b.String()) + "\n")
	}
	line(faint, head)
	for i := range all {
		line(plain, cells(&all[i]))
	}
}

func cells(d *diagnose.SocketDetail) []string {
	row := []string{
		d.Local, d.Remote, number(int(d.RecvQ)), number(int(d.SendQ)),
		firstOf(d.Timer, "none"), ageCell(d.Age), string(d.Ends), firstOf(holders(d.FDs), "none"),
	}
	for i, cell := range row {
		row[i] = clean(cell)
	}
	return row
}

// ageCell is bracket in the room of a column.
func ageCell(a diagnose.Age) string {
	low := span(seconds(a.AtLeastS))
	switch {
	case a.AtMostS == nil:
		return "≥ " + low
	case tight(a) || span(seconds(*a.AtMostS)) == low:
		return low
	}
	return low + " – " + span(seconds(*a.AtMostS))
}
