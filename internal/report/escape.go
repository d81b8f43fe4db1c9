package report

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// clean makes s safe to print: control characters, escape sequences, bidi and
// other invisible format characters, odd spaces and invalid UTF-8 are shown as
// \n, \x1b, \u202e and the like. A combining mark at the start would change the
// character before s and is shown too.
func clean(s string) string {
	if printable(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteString(`\x` + hex(uint64(s[i]), 2))
		case !unicode.IsPrint(r), i == 0 && unicode.IsMark(r):
			b.WriteString(escaped(r))
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// printable is clean's fast path, and nearly every string's.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

func escaped(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\t':
		return `\t`
	case r == '\r':
		return `\r`
	case r < 0x80:
		return `\x` + hex(uint64(r), 2)
	case r < 0x10000:
		return `\u` + hex(uint64(r), 4)
	}
	return `\U` + hex(uint64(r), 8)
}

func hex(v uint64, digits int) string {
	s := strconv.FormatUint(v, 16)
	return strings.Repeat("0", max(0, digits-len(s))) + s
}

// shorten cleans s and cuts it to at most n columns.
func shorten(s string, n int) string {
	// A hostile string may be megabytes long: no more than could be shown is
	// looked at (a character takes at most utf8.UTFMax bytes, and marks are few).
	if most := 4 * utf8.UTFMax * n; len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return ansi.Truncate(clean(s), n, "…")
}

// columns is how many columns of a terminal the clean text s takes.
func columns(s string) int { return ansi.StringWidth(s) }
