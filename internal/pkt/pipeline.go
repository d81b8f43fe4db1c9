package pkt

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// pipe runs the stages behind a command that lists sockets, on its lines. It
// returns what is printed and whether the last stage succeeds, as a shell has
// it; its error says what is not supported.
func pipe(lines []string, stages []string) (out []string, ok bool, err error) {
	ok = true
	for _, stage := range stages {
		words, werr := shellWords(stage)
		if werr != nil {
			return nil, false, werr
		}
		if len(words) == 0 {
			return nil, false, fmt.Errorf("an empty stage of a pipeline")
		}
		switch words[0] {
		case "grep", "egrep", "fgrep":
			lines, ok, err = grep(lines, words)
		case "wc":
			lines, ok, err = wordCount(lines, words)
		case "awk":
			lines, ok, err = awk(lines, words)
		case "cat":
		case "test", "[":
			err = fmt.Errorf("%q behind a pipe", words[0])
		default:
			err = fmt.Errorf("%q in a pipeline", clip(words[0], 40))
		}
		if err != nil {
			return nil, false, err
		}
	}
	return lines, ok, nil
}

// grep is grep, with the options that scripts use.
func grep(lines, words []string) ([]string, bool, error) {
	var count, invert, quiet, fold, whole, fixed bool
	fixed = words[0] == "fgrep"
	pattern, given := "", false
	for _, w := range words[1:] {
		if strings.HasPrefix(w, "-") && !given && len(w) > 1 {
			for _, letter := range w[1:] {
				switch letter {
				case 'c':
					count = true
				case 'v':
					invert = true
				case 'q', 's':
					quiet = quiet || letter == 'q'
				case 'i':
					fold = true
				case 'w':
					whole = true
				case 'F':
					fixed = true
				case 'E', 'e':
				default:
					return nil, false, fmt.Errorf("grep -%c", letter)
				}
			}
			continue
		}
		if given {
			return nil, false, fmt.Errorf("grep with a file")
		}
		pattern, given = w, true
	}
	if !given {
		return nil, false, fmt.Errorf("grep without a pattern")
	}
	if fixed {
		pattern = regexp.QuoteMeta(pattern)
	}
	if whole {
		pattern = `\b(?:` + pattern + `)\b`
	}
	if fold {
		pattern = "(?i)" + pattern
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, false, fmt.Errorf("grep for %q", clip(pattern, 40))
	}
	var out []string
	for _, line := range lines {
		if re.MatchString(line) != invert {
			out = append(out, line)
		}
	}
	found := len(out) > 0
	switch {
	case quiet:
		out = nil
	case count:
		out = []string{strconv.Itoa(len(out))}
	}
	return out, found, nil
}

// wordCount is wc -l.
func wordCount(lines, words []string) ([]string, bool, error) {
	if len(words) != 2 || words[1] != "-l" {
		return nil, false, fmt.Errorf("wc without -l alone")
	}
	return []string{strconv.Itoa(len(lines))}, true, nil
}

// awkColumn is the one program that scripts use.
var awkColumn = regexp.MustCompile(`^\{\s*print\s+\$(\d{1,2})\s*;?\s*\}$`)

// awk is awk '{print $N}'.
func awk(lines, words []string) ([]string, bool, error) {
	if len(words) != 2 {
		return nil, false, fmt.Errorf("awk but for '{print $N}'")
	}
	m := awkColumn.FindStringSubmatch(strings.TrimSpace(words[1]))
	if m == nil {
		return nil, false, fmt.Errorf("awk but for '{print $N}'")
	}
	column, _ := strconv.Atoi(m[1])
	out := make([]string, len(lines))
	for i, line := range lines {
		parts := strings.Fields(line)
		switch {
		case column == 0:
			out[i] = line
		case column <= len(parts):
			out[i] = parts[column-1]
		}
	}
	return out, true, nil
}

// shellSplit splits a command at an operator, quotes aside. It gives the parts.
func shellSplit(text string, operators ...string) []string {
	var parts []string
	begin, quote := 0, byte(0)
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case quote != 0:
			if b == quote {
				quote = 0
			}
		case b == '\'' || b == '"':
			quote = b
		case b == '\\' && i+1 < len(text):
			i++
		default:
			for _, op := range operators {
				if strings.HasPrefix(text[i:], op) {
					parts = append(parts, text[begin:i])
					i += len(op) - 1
					begin = i + 1
					break
				}
			}
		}
	}
	return append(parts, text[begin:])
}

// shellWords splits a simple command into words. What a shell would expand or
// redirect is refused, redirections of output to nowhere excepted.
func shellWords(text string) ([]string, error) {
	var (
		words []string
		word  strings.Builder
		open  bool
		quote byte
	)
	flush := func() {
		if open {
			words = append(words, word.String())
		}
		word.Reset()
		open = false
	}
	for i := 0; i < len(text); i++ {
		b := text[i]
		switch {
		case quote != '\'' && expands(text[i:]):
			return nil, fmt.Errorf("an expansion in a command")
		case quote != 0:
			if b == quote {
				quote = 0
				continue
			}
			word.WriteByte(b)
		case b == '\'' || b == '"':
			quote, open = b, true
		case b == '\\' && i+1 < len(text):
			i++
			if text[i] != '\n' {
				word.WriteByte(text[i])
				open = true
			}
		case strings.IndexByte(" \t\r\n", b) >= 0:
			flush()
		default:
			word.WriteByte(b)
			open = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote without an end in a command")
	}
	flush()
	return dropRedirections(words)
}

// expands reports whether text begins with what a shell would put something else
// in the place of. A lone "$", as a pattern's end is, stays.
func expands(text string) bool {
	if len(text) < 2 || text[0] != '$' {
		return false
	}
	b := text[1]
	return b == '_' || b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z' || strings.IndexByte("({@*#?!$-", b) >= 0
}

// dropRedirections lets "> /dev/null 2>&1" by.
func dropRedirections(words []string) ([]string, error) {
	var out []string
	for i := 0; i < len(words); i++ {
		switch w := words[i]; w {
		case ">/dev/null", "2>/dev/null", "2>&1", "&>/dev/null", "1>/dev/null", ">&2":
		case ">", "2>", "&>":
			if i+1 >= len(words) || words[i+1] != "/dev/null" {
				return nil, fmt.Errorf("a redirection in a command")
			}
			i++
		default:
			if strings.ContainsAny(w, "<>") && (w[0] == '<' || w[0] == '>') {
				return nil, fmt.Errorf("a redirection in a command")
			}
			out = append(out, w)
		}
	}
	return out, nil
}
