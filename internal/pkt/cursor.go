package pkt

import (
	"fmt"
	"strconv"
	"strings"
)

// cursor walks through a script's text. It keeps the first error; after one,
// nothing moves any more.
type cursor struct {
	file string
	text string
	pos  int
	line int
	err  error
}

// fail notes the first error.
func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = &SyntaxError{c.file, c.line, fmt.Sprintf(format, args...)}
	}
}

// rest is what is left, nothing after an error.
func (c *cursor) rest() string {
	if c.err != nil {
		return ""
	}
	return c.text[c.pos:]
}

func (c *cursor) advance(n int) {
	c.line += strings.Count(c.text[c.pos:c.pos+n], "\n")
	c.pos += n
}

// space skips blanks and comments.
func (c *cursor) space() {
	for {
		rest := c.rest()
		switch {
		case rest == "":
			return
		case strings.HasPrefix(rest, "//"):
			c.advance(lineLength(rest))
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest, "*/")
			if end < 0 {
				c.fail(`the comment that begins here has no "*/"`)
				return
			}
			c.advance(end + 2)
		case strings.IndexByte(" \t\r\n\v\f", rest[0]) >= 0:
			c.advance(1)
		default:
			return
		}
	}
}

// lineLength is how many bytes there are before the end of the line.
func lineLength(text string) int {
	if n := strings.IndexByte(text, '\n'); n >= 0 {
		return n
	}
	return len(text)
}

// take skips blanks, then token if it comes next.
func (c *cursor) take(token string) bool {
	c.space()
	if !strings.HasPrefix(c.rest(), token) {
		return false
	}
	c.advance(len(token))
	return c.err == nil
}

// want is take, and an error if token does not come next.
func (c *cursor) want(token string) {
	if !c.take(token) {
		c.fail("wanted %q, got %s", token, c.next())
	}
}

// next shows what comes next, for errors.
func (c *cursor) next() string {
	rest := strings.TrimSpace(c.rest())
	if rest == "" {
		return "the end"
	}
	return strconv.Quote(clip(rest[:lineLength(rest)], 40))
}

func clip(text string, n int) string {
	if len(text) > n {
		return text[:n] + "…"
	}
	return text
}

// word takes the letters, digits and underscores that come next; "" if none.
func (c *cursor) word() string {
	c.space()
	rest := c.rest()
	n := 0
	for n < len(rest) && isWord(rest[n]) {
		n++
	}
	c.advance(n)
	return rest[:n]
}

func isWord(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// until takes everything before the delimiter, and the delimiter.
func (c *cursor) until(delimiter, what string) string {
	rest := c.rest()
	n := strings.Index(rest, delimiter)
	if n < 0 {
		c.fail("the %s that begins here has no end: wanted %q", what, delimiter)
		return ""
	}
	c.advance(n + len(delimiter))
	return rest[:n]
}

// uint32 takes a decimal number of 32 bits.
func (c *cursor) uint32(what string) uint32 {
	c.space()
	rest := c.rest()
	n := 0
	for n < len(rest) && isDigit(rest[n]) {
		n++
	}
	v, err := strconv.ParseUint(rest[:n], 10, 32)
	if err != nil {
		c.fail("wanted %s, got %s", what, c.next())
		return 0
	}
	c.advance(n)
	return uint32(v)
}
