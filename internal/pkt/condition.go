package pkt

import "strings"

// conditions drops what #ifdef, #ifndef, #else and #endif leave out, and lines
// that are comments with '#'. The lines that are left keep their numbers.
// defined are the names that are defined.
func conditions(file, text string, defined []string) (string, error) {
	known := map[string]bool{}
	for _, name := range defined {
		known[name] = true
	}
	var (
		out   strings.Builder
		stack []branch
		quote string // what ends the command or code that a line before began
	)
	number := 0
	for line := range strings.Lines(text) {
		number++
		trimmed := strings.TrimSpace(line)
		if quote == "" && strings.HasPrefix(trimmed, "#") {
			var err error
			if stack, err = directive(stack, trimmed, known); err != nil {
				return "", &SyntaxError{file, number, err.Error()}
			}
			if last := len(stack) - 1; last >= 0 && stack[last].line == 0 {
				stack[last].line = number
			}
			out.WriteString(line[len(strings.TrimSuffix(line, "\n")):])
			continue
		}
		if !active(stack) {
			out.WriteString(line[len(strings.TrimSuffix(line, "\n")):])
			continue
		}
		quote = quoteAfter(quote, line)
		out.WriteString(line)
	}
	if len(stack) > 0 {
		return "", &SyntaxError{file, stack[len(stack)-1].line, "this condition has no #endif"}
	}
	return out.String(), nil
}

// branch is one condition that is open.
type branch struct {
	line    int
	on      bool
	hadElse bool
}

func active(stack []branch) bool {
	for _, b := range stack {
		if !b.on {
			return false
		}
	}
	return true
}

// conditionError is a mistake in a directive, without its place.
type conditionError string

func (e conditionError) Error() string { return string(e) }

// directive obeys one line that begins with '#'.
func directive(stack []branch, line string, known map[string]bool) ([]branch, error) {
	words := strings.Fields(strings.TrimPrefix(line, "#"))
	if len(words) == 0 || !strings.HasPrefix(strings.TrimSpace(line[1:]), words[0]) {
		return stack, nil
	}
	last := len(stack) - 1
	switch words[0] {
	case "ifdef", "ifndef":
		if len(words) < 2 {
			return stack, conditionError("#" + words[0] + " wants a name")
		}
		return append(stack, branch{on: known[words[1]] == (words[0] == "ifdef")}), nil
	case "else":
		if last < 0 || stack[last].hadElse {
			return stack, conditionError("#else without #ifdef")
		}
		stack[last].on, stack[last].hadElse = !stack[last].on, true
	case "endif":
		if last < 0 {
			return stack, conditionError("#endif without #ifdef")
		}
		return stack[:last], nil
	case "define":
		if len(words) == 2 && active(stack) {
			known[words[1]] = true
			return stack, nil
		}
		return stack, conditionError("#define of a value is not supported")
	case "if", "elif", "include", "undef":
		return stack, conditionError("#" + words[0] + " is not supported")
	}
	return stack, nil // a comment
}

// quoteAfter follows `…` and %{…}% across lines, so that a '#' in a shell
// command or in code stays what it is. quote is what ends the open one.
func quoteAfter(quote, line string) string {
	for line != "" {
		if quote != "" {
			i := strings.Index(line, quote)
			if i < 0 {
				return quote
			}
			line, quote = line[i+len(quote):], ""
			continue
		}
		shell, code, comment := strings.IndexByte(line, '`'), strings.Index(line, "%{"), strings.Index(line, "//")
		switch {
		case comment >= 0 && (shell < 0 || comment < shell) && (code < 0 || comment < code):
			return ""
		case shell >= 0 && (code < 0 || shell < code):
			line, quote = line[shell+1:], "`"
		case code >= 0:
			line, quote = line[code+2:], "}%"
		default:
			return ""
		}
	}
	return quote
}
