package scenario

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// line is a statement with the indented lines that continue it, or a blank
// line, or a comment.
type line struct {
	first, last int // physical lines, from 1
	text        string
	comment     string // with its '#'
}

func (l line) blank() bool     { return l.text == "" && l.comment == "" }
func (l line) statement() bool { return l.text != "" }

// maxSource bounds a story; one that a person can read is far smaller.
const maxSource = 1 << 20

// SyntaxError is a place where a story is not understood.
type SyntaxError struct {
	File string
	// Line counts from 1.
	Line        int
	Wanted, Got string
}

// Error says "c8.story:12: wanted a host's state, got "CLOSEWAIT"".
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d: wanted %s, got %s", e.File, e.Line, e.Wanted, e.Got)
}

// split cuts a story's source into lines.
func split(file string, src []byte) ([]line, error) {
	if len(src) > maxSource {
		return nil, &SyntaxError{file, 1, fmt.Sprintf("a story of at most %d octets", maxSource), fmt.Sprint(len(src))}
	}
	var all []line
	for i, raw := range strings.Split(strings.TrimSuffix(string(src), "\n"), "\n") {
		raw = strings.TrimSuffix(raw, "\r")
		if bad, ok := unprintable(raw); ok {
			return nil, &SyntaxError{file, i + 1, "printable text", bad}
		}
		l := line{first: i + 1, last: i + 1}
		l.text, l.comment = uncomment(raw)
		indented := l.text != "" && (raw[0] == ' ' || raw[0] == '\t')
		if !indented {
			all = append(all, l)
			continue
		}
		if len(all) == 0 || !all[len(all)-1].statement() {
			return nil, &SyntaxError{file, i + 1, "a statement at the left edge, or one above that this indented line continues", quote(l.text)}
		}
		above := &all[len(all)-1]
		above.last = l.last
		above.text += " " + l.text
		above.comment = joinedComments(above.comment, l.comment)
	}
	return all, nil
}

// joinedComments is one comment of two; either may be missing.
func joinedComments(a, b string) string {
	if a == "" {
		return b
	}
	return strings.TrimSpace(a + " " + strings.TrimSpace(strings.TrimPrefix(b, "#")))
}

// unprintable finds what would steer a terminal, or is no text at all.
func unprintable(s string) (string, bool) {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			return fmt.Sprintf("the byte %#x", s[i]), true
		}
		if r != '\t' && !unicode.IsPrint(r) {
			return fmt.Sprintf("%+q", r), true
		}
		i += n
	}
	return "", false
}

// uncomment parts a line into statement and comment. A '#' inside a word is no
// comment.
func uncomment(raw string) (text, comment string) {
	for i := range len(raw) {
		if raw[i] == '#' && (i == 0 || raw[i-1] == ' ' || raw[i-1] == '\t') {
			return strings.TrimSpace(raw[:i]), strings.TrimSpace(raw[i:])
		}
	}
	return strings.TrimSpace(raw), ""
}

func quote(s string) string {
	if s == "" {
		return "the end of the line"
	}
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:60], "") + "…"
	}
	return `"` + s + `"`
}

// wordsOf cuts a statement into words; commas, semicolons and arrows are words
// of their own.
func wordsOf(text string) []string {
	text = strings.NewReplacer("->", " → ", "→", " → ", ",", " , ", ";", " ; ", "...", "…").Replace(text)
	return strings.Fields(text)
}
