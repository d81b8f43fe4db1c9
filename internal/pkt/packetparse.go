package pkt

import (
	"strings"

	"github.com/closewait/closewait/tcp"
)

// packet takes "< S. 0:0(0) ack 1 win 257 <mss 1460>".
func (c *cursor) packet() *Packet {
	p := &Packet{Inbound: c.take("<")}
	if !p.Inbound {
		c.want(">")
	}
	p.Flags = c.flags()
	c.sequence(p)
	for c.err == nil {
		c.space()
		rest := c.rest()
		switch {
		case strings.HasPrefix(rest, "<"):
			c.advance(1)
			p.Options = c.options(c.until(">", "list of options"))
		case strings.HasPrefix(rest, "ack"):
			c.advance(3)
			p.Acks, p.Ack = true, tcp.Seq(c.uint32("an acknowledgment number"))
		case strings.HasPrefix(rest, "win"):
			c.advance(3)
			p.WindowGiven, p.Window = true, c.uint32("a window")
		case strings.HasPrefix(rest, "urg "):
			c.fail("an urgent pointer is not supported")
		default:
			return p
		}
	}
	return p
}

// flagLetters are packetdrill's.
const flagLetters = "FSRP.UEW"

// flagBits are the letters' control bits, in their order.
func flagBits(letter byte) (tcp.Flags, bool) {
	switch letter {
	case 'F':
		return tcp.FIN, true
	case 'S':
		return tcp.SYN, true
	case 'R':
		return tcp.RST, true
	case 'P':
		return tcp.PSH, true
	case '.':
		return tcp.ACK, true
	case 'U':
		return tcp.URG, true
	case 'E':
		return tcp.ECE, true
	case 'W':
		return tcp.CWR, true
	}
	return 0, false
}

// flags takes the control bits; "-" is none.
func (c *cursor) flags() tcp.Flags {
	c.space()
	word := c.rest()
	if n := strings.IndexAny(word, " \t\r\n"); n >= 0 {
		word = word[:n]
	}
	if word == "-" {
		c.advance(1)
		return 0
	}
	var f tcp.Flags
	for i := range len(word) {
		bit, ok := flagBits(word[i])
		if !ok {
			c.fail("%s is not supported: wanted TCP flags among %s", c.next(), flagLetters)
			return 0
		}
		f |= bit
	}
	if word == "" {
		c.fail("wanted TCP flags, got %s", c.next())
	}
	c.advance(len(word))
	return f
}

// sequence takes "first:end(length)" or "...(length)".
func (c *cursor) sequence(p *Packet) {
	p.AnySeq = c.take("...")
	if p.AnySeq {
		c.want("(")
		p.Len = c.uint32("a length")
		c.want(")")
		return
	}
	p.Seq = tcp.Seq(c.uint32("a sequence number"))
	c.want(":")
	end := tcp.Seq(c.uint32("a sequence number"))
	c.want("(")
	p.Len = c.uint32("a length")
	c.want(")")
	if c.err == nil && p.Seq.Add(p.Len) != end {
		c.fail("%d:%d does not span %d octets", p.Seq, end, p.Len)
	}
}

// options reads a list of TCP options. Those that do not matter are let by.
func (c *cursor) options(list string) TCPOptions {
	o := TCPOptions{Given: strings.TrimSpace(list) != "..."}
	for part := range strings.SplitSeq(list, ",") {
		words := strings.Fields(part)
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "mss":
			o.MSS = uint16(c.optionNumber(words, 1<<16-1))
		case "wscale":
			o.HasScale, o.Scale = true, uint8(min(c.optionNumber(words, 255), 14))
		case "sackOK", "sack_permitted":
			o.SACK = true
		case "TS":
			o.Timestamps = true
		case "nop", "eol", "sack", "...", "NOP", "EOL":
		default:
			c.fail("the TCP option %q is not supported", clip(words[0], 40))
		}
	}
	return o
}

// optionNumber is an option's one operand.
func (c *cursor) optionNumber(words []string, most uint64) uint64 {
	if len(words) != 2 {
		c.fail("the TCP option %s wants one number", words[0])
		return 0
	}
	sub := cursor{file: c.file, text: words[1], line: c.line}
	n := uint64(sub.uint32("a number"))
	if sub.err != nil || n > most {
		c.fail("the TCP option %s wants a number up to %d, got %q", words[0], most, clip(words[1], 40))
		return 0
	}
	return n
}
