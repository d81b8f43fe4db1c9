package scenario

import (
	"strings"
	"unicode/utf8"
)

// width is how long Format lets a line become.
const width = 100

// Format writes a story in its usual form: one way to say each thing, long
// statements continued on indented lines, comments kept. Parsing it gives the
// same story again.
func Format(s *Story) []byte {
	texts := s.texts()
	if s.lines == nil {
		return unsourced(s)
	}
	var out []string
	blank := true // no blank line at the top, and no two in a row
	for i, l := range s.lines {
		switch {
		case l.blank() && blank:
			continue
		case l.blank():
			out = append(out, "")
		case !l.statement():
			out = append(out, l.comment)
		default:
			out = append(out, laidOut(texts[i], l.comment)...)
		}
		blank = l.blank()
	}
	return []byte(strings.TrimRight(strings.Join(out, "\n"), "\n") + "\n")
}

// Update returns the story's source with every expectation that failed in r
// rewritten to what was seen there; all else stays as it was. src is what the
// story was parsed from.
func Update(s *Story, src []byte, r *Result) []byte {
	fixes := map[int]string{}
	for _, f := range r.Failures {
		if f.fix != "" {
			fixes[f.at] = f.fix
		}
	}
	old := strings.Split(string(src), "\n")
	var out []string
	copied := 0
	for i, l := range s.lines {
		fix, ok := fixes[i]
		if !ok || l.last > len(old) {
			continue
		}
		out = append(out, old[copied:l.first-1]...)
		out = append(out, laidOut(fix, l.comment)...)
		copied = l.last
	}
	return []byte(strings.Join(append(out, old[copied:]...), "\n"))
}

// texts are the statements, by the lines they stand on.
func (s *Story) texts() map[int]string {
	all := map[int]string{}
	for i, l := range s.lines {
		all[i] = strings.Join(strings.Fields(l.text), " ") // the head is prose
	}
	for _, step := range s.Steps {
		at, own := step.place()
		all[at] = step.text(s.Hosts)
		for i, other := range others(step, s.Hosts) {
			all[own[i]] = other
		}
	}
	return all
}

// unsourced writes a story that was made and not parsed.
func unsourced(s *Story) []byte {
	var out []string
	if s.Title != "" {
		out = append(out, "# "+s.Title)
	}
	if s.Hosts != [2]string{"local", "remote"} {
		out = append(out, "hosts "+s.Hosts[0]+" "+s.Hosts[1])
	}
	if len(s.Profiles) > 0 {
		out = append(out, "profile "+strings.Join(s.Profiles, ", "))
	}
	for _, c := range s.Claims {
		word := "claim "
		if c.Correction {
			word = "corrects "
		}
		out = append(out, laidOut(word+c.ID+" "+c.Text, "")...)
	}
	for _, v := range s.Verdicts {
		out = append(out, laidOut(Apart{On: v.On, Because: v.Because}.text(v.Holding.String()), "")...)
	}
	for _, step := range s.Steps {
		out = append(out, laidOut(step.text(s.Hosts), "")...)
		for _, other := range others(step, s.Hosts) {
			out = append(out, laidOut(other, "")...)
		}
	}
	return []byte(strings.Join(out, "\n") + "\n")
}

// laidOut breaks a statement into lines, with its comment behind or above.
func laidOut(text, comment string) []string {
	var above []string
	if comment != "" {
		if utf8.RuneCountInString(text)+2+utf8.RuneCountInString(comment) <= width {
			return []string{text + "  " + comment}
		}
		above = []string{comment}
	}
	if utf8.RuneCountInString(text) <= width {
		return append(above, text)
	}
	// A reason begins a line of its own.
	head, reason, ok := strings.Cut(text, " because ")
	above = append(above, fill(head, "")...)
	if ok {
		above = append(above, fill("because "+reason, indent)...)
	}
	return above
}

// indent marks a line that continues the one above.
const indent = "    "

// fill breaks text into lines, all but the first indented.
func fill(text, first string) []string {
	var out []string
	line, empty := first, true
	for _, word := range strings.Fields(text) {
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			out = append(out, line)
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	return append(out, line)
}
