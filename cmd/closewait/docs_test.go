package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestModelDocumentShowsWhatIsPrinted runs the commands in docs/model.md and
// compares what they print. "[…]" stands for any text, alone on a line for any
// lines.
func TestModelDocumentShowsWhatIsPrinted(t *testing.T) {
	t.Chdir("../..")
	doc, err := os.ReadFile("docs/model.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := 0
	for i, block := range strings.Split(string(doc), "```") {
		text, console := strings.CutPrefix(block, "console\n")
		if i%2 == 0 || !console {
			continue
		}
		for _, run := range strings.Split("\n"+text, "\n$ closewait ")[1:] {
			line, want, _ := strings.Cut(run, "\n")
			_, out, errs := inProcess(t, "", strings.Fields(line)...)
			if errs != "" {
				t.Errorf("closewait %s: %s", line, errs)
			}
			if !shown(want).MatchString(strings.TrimRight(out, "\n")) {
				t.Errorf("closewait %s prints something else:\n%s", line, out)
			}
			commands++
		}
	}
	if commands < 6 {
		t.Errorf("found %d commands only", commands)
	}
}

// shown is what a printed text must match.
func shown(want string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString("(?s)^")
	for line := range strings.Lines(strings.TrimRight(want, "\n") + "\n") {
		if line == "[…]\n" {
			b.WriteString(`(?:[^\n]*(?:\n|$))*?`)
			continue
		}
		parts := strings.Split(regexp.QuoteMeta(strings.TrimRight(line, "\n")), regexp.QuoteMeta("[…]"))
		b.WriteString(strings.Join(parts, `[^\n]*`) + `(?:\n|$)`)
	}
	b.WriteString("$")
	return regexp.MustCompile(b.String())
}
