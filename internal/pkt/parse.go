package pkt

import (
	"strconv"
	"strings"

	"github.com/closewait/closewait/model"
)

// limits keep a hostile script from costing more than it is worth.
const (
	maxScript = 1 << 20
	maxDepth  = 16
)

// Parse reads a script. Names are those that #ifdef finds defined. Its error is
// a *SyntaxError.
func Parse(name string, text []byte, defined ...string) (*Script, error) {
	if len(text) > maxScript {
		return nil, &SyntaxError{name, 1, "the script is longer than 1 MiB"}
	}
	plain, err := conditions(name, string(text), defined)
	if err != nil {
		return nil, err
	}
	c := &cursor{file: name, text: plain, line: 1}
	s := &Script{Name: name}
	for {
		c.space()
		if c.rest() == "" {
			break
		}
		if strings.HasPrefix(c.rest(), "--") {
			s.Options = append(s.Options, c.option())
			continue
		}
		s.Events = append(s.Events, c.event())
	}
	if c.err != nil {
		return nil, c.err
	}
	return s, nil
}

// option takes "--name=value".
func (c *cursor) option() Option {
	o := Option{Line: c.line}
	c.advance(2)
	rest := c.rest()
	n := strings.IndexAny(rest, " \t\r\n")
	if n < 0 {
		n = len(rest)
	}
	o.Name, o.Value, _ = strings.Cut(rest[:n], "=")
	c.advance(n)
	o.Value = strings.Trim(o.Value, `"'`)
	return o
}

// event takes one event, its time first.
func (c *cursor) event() Event {
	e := Event{Line: c.line, When: c.when()}
	c.space()
	rest := c.rest()
	switch {
	case strings.HasPrefix(rest, "<"), strings.HasPrefix(rest, ">"):
		e.Packet = c.packet()
	case strings.HasPrefix(rest, "`"):
		c.advance(1)
		e.Command = &Command{Text: c.until("`", "command")}
	case strings.HasPrefix(rest, "%{"):
		c.advance(2)
		line := c.line
		e.Assert = c.assert(c.until("}%", "code"), line)
	default:
		e.Call = c.call()
	}
	if e.Call != nil && e.When.Ranged && !e.When.Blocks {
		c.fail("a call's range is written a...b")
	}
	if e.Call == nil && e.When.Blocks {
		c.fail("only a call has a range a...b")
	}
	return e
}

// when takes an event's time.
func (c *cursor) when() When {
	if c.take("*") {
		return When{Base: Anytime}
	}
	rest := c.rest()
	if rest != "" && (rest[0] == '`' || rest[0] == '%') {
		return When{}
	}
	w := When{Base: Absolute}
	if c.take("+") {
		w.Base = Relative
	}
	w.At = c.seconds()
	switch {
	case c.take("~"):
		w.Ranged = true
	case c.take("..."):
		w.Ranged, w.Blocks = true, true
	default:
		return w
	}
	if c.take("+") && w.Base == Absolute && w.Blocks {
		c.fail("a range that begins at an absolute time ends at one")
	}
	w.Until = c.seconds()
	return w
}

// seconds takes a time in seconds: "1", "0.25", ".5".
func (c *cursor) seconds() model.Time {
	c.space()
	rest := c.rest()
	n, dots := 0, 0
	for n < len(rest) && (isDigit(rest[n]) || rest[n] == '.' && dots == 0 && !strings.HasPrefix(rest[n:], "..")) {
		if rest[n] == '.' {
			dots++
		}
		n++
	}
	v, err := strconv.ParseFloat(rest[:n], 64)
	if err != nil || v > 1e7 {
		c.fail("wanted a time, got %s", c.next())
		return 0
	}
	c.advance(n)
	// Microseconds are packetdrill's own unit; rounding to them undoes what
	// binary fractions do to decimal ones.
	return model.Time(v*1e6+0.5) * 1000
}
