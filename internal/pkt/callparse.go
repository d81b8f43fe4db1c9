package pkt

import (
	"strconv"
	"strings"
)

// call takes "name(arguments) = result ERRNO (text)".
func (c *cursor) call() *Call {
	call := &Call{Name: c.word()}
	if call.Name == "" || isDigit(call.Name[0]) {
		c.fail("wanted a call, a packet, a command or an assertion, got %s", c.next())
		return call
	}
	c.want("(")
	for _, f := range c.items(")", 0) {
		call.Args = append(call.Args, f.Value)
	}
	c.want("=")
	call.Result = c.value(0)
	c.space()
	if rest := c.rest(); len(rest) > 1 && rest[0] == 'E' && isWord(rest[1]) {
		call.Errno = c.word()
	}
	if c.take("(") {
		c.until(")", "remark")
	}
	return call
}

// items takes values up to a closing bracket, and the bracket.
func (c *cursor) items(end string, depth int) []Field {
	if depth > maxDepth {
		c.fail("brackets are nested more than %d deep", maxDepth)
		return nil
	}
	var out []Field
	for c.err == nil {
		if c.take(end) {
			return out
		}
		if len(out) > 0 {
			c.want(",")
		}
		out = append(out, c.field(depth+1))
	}
	return out
}

// field takes a value, with a name where one is given: "fd=3".
func (c *cursor) field(depth int) Field {
	v := c.value(depth)
	if v.Kind != Symbol || !c.take("=") {
		return Field{Value: v}
	}
	return Field{Name: v.Name, Value: c.value(depth)}
}

// value takes one value.
func (c *cursor) value(depth int) Value {
	c.space()
	rest := c.rest()
	switch {
	case rest == "":
		c.fail("wanted a value, got the end")
	case c.take("..."):
		return Value{}
	case c.take("["):
		return Value{Kind: List, Items: c.items("]", depth)}
	case c.take("{"):
		return Value{Kind: Struct, Items: c.items("}", depth)}
	case c.take(`"`):
		return Value{Kind: Text, Name: c.until(`"`, "string")}
	case isDigit(rest[0]) || rest[0] == '-':
		return c.integer()
	case isWord(rest[0]):
		return c.symbol(depth)
	default:
		c.fail("wanted a value, got %s", c.next())
	}
	return Value{}
}

// integer takes a number, decimal, hexadecimal or octal, or several by '|'.
func (c *cursor) integer() Value {
	minus := c.take("-")
	word := c.word()
	n, err := strconv.ParseInt(word, 0, 64)
	if err != nil {
		u, err := strconv.ParseUint(word, 0, 64)
		if err != nil {
			c.fail("wanted a number, got %q", clip(word, 40))
		}
		n = int64(u)
	}
	if minus {
		n = -n
	}
	return Value{Kind: Number, Int: n}
}

// symbol takes a name, names joined by '|', or a name applied to values.
func (c *cursor) symbol(depth int) Value {
	v := Value{Kind: Symbol, Name: c.word()}
	if strings.HasPrefix(c.rest(), "(") {
		c.advance(1)
		return Value{Kind: Apply, Name: v.Name, Items: c.items(")", depth)}
	}
	for c.take("|") {
		part := c.word()
		if part == "" {
			c.fail("wanted a name after |, got %s", c.next())
			return v
		}
		v.Name += "|" + part
	}
	return v
}
