package report

import (
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"":                   "",
		"nginx: worker":      "nginx: worker",
		"日本語 é 👩":            "日本語 é 👩",
		"a\x1b[31mb":         `a\x1b[31mb`,
		"a\r\n\tb":           `a\r\n\tb`,
		"\x00\x7f":           `\x00\x7f`,
		"a\u009b2J":          `a\u009b2J`, // CSI as one character of C1
		"\u202eexe":          `\u202eexe`,
		"\u2066\u200b\ufeff": `\u2066\u200b\ufeff`,
		"\u00a0\u2028":       `\u00a0\u2028`,
		"\xff\xc3":           `\xff\xc3`,
		"\u0301x":            `\u0301x`, // would join the character before
		"e\u0301":            "e\u0301",
		"\U000e0041":         `\U000e0041`, // tag characters are invisible
		"\U0010ffff":         `\U0010ffff`,
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestShorten(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{
		{"nginx", 5, "nginx"},
		{"nginx", 4, "ngi…"},
		{"日本語", 5, "日本…"},
		{"日本語", 4, "日…"},
		{"\x1b[31m", 8, `\x1b[31m`},
		{"\x1b[31mred", 8, `\x1b[31…`},
	} {
		if got := shorten(c.in, c.n); got != c.want {
			t.Errorf("shorten(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
	if got := shorten(strings.Repeat("x", 1<<20), 10); got != "xxxxxxxxx…" {
		t.Errorf("a megabyte shortened to %q", got)
	}
}
