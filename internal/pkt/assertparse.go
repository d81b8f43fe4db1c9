package pkt

import (
	"strconv"
	"strings"
)

// Assert is the code of a "%{ … }%": comparisons that must hold.
type Assert struct{ Claims []Claim }

// Claim is one comparison of a value of struct tcp_info.
type Claim struct {
	Line int
	// Name is the field's, "tcpi_state".
	Name string
	// Op is a comparison of C: "==", "!=", "<", "<=", ">", ">=".
	Op string
	// Want is a number or a symbol.
	Want Value
}

// assert reads code: statements "assert a == b, message", one a line or
// separated by semicolons, comparisons joined by "and".
func (c *cursor) assert(code string, line int) *Assert {
	a := &Assert{}
	for text := range strings.Lines(strings.ReplaceAll(code, ";", "\x00")) {
		for statement := range strings.SplitSeq(text, "\x00") {
			c.statement(a, statement, line)
		}
		line++
	}
	return a
}

func (c *cursor) statement(a *Assert, text string, line int) {
	text, _, _ = strings.Cut(text, "#")
	text = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), `\`))
	if text == "" {
		return
	}
	rest, ok := strings.CutPrefix(text, "assert")
	if !ok || rest != "" && isWord(rest[0]) {
		c.fail("code %q is not supported: only assertions are", clip(text, 40))
		return
	}
	condition, _, _ := strings.Cut(rest, ",")
	condition = strings.NewReplacer("(", " ", ")", " ", "&&", " and ").Replace(condition)
	for part := range strings.SplitSeq(condition, " and ") {
		claim, ok := claimOf(strings.TrimSpace(part))
		if !ok {
			c.fail("the assertion %q is not supported", clip(text, 60))
			return
		}
		claim.Line = line
		a.Claims = append(a.Claims, claim)
	}
}

// claimOf reads "tcpi_state == TCP_ESTABLISHED".
func claimOf(text string) (Claim, bool) {
	at := strings.IndexAny(text, "=!<>")
	if at < 0 {
		return Claim{}, false
	}
	name, rest := strings.TrimSpace(text[:at]), text[at:]
	n := 1
	if strings.HasPrefix(rest[1:], "=") {
		n = 2
	}
	claim := Claim{Name: name, Op: rest[:n], Want: Value{Kind: Symbol, Name: strings.TrimSpace(rest[n:])}}
	if claim.Op == "=" || claim.Op == "!" || !isName(name) || claim.Want.Name == "" {
		return Claim{}, false
	}
	if v, err := strconv.ParseInt(claim.Want.Name, 0, 64); err == nil {
		claim.Want = Value{Kind: Number, Int: v}
	} else if !isName(claim.Want.Name) {
		return Claim{}, false
	}
	return claim, true
}

func isName(text string) bool {
	for i := range len(text) {
		if !isWord(text[i]) {
			return false
		}
	}
	return text != "" && !isDigit(text[0])
}
