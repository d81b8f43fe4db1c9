package capture

import (
	"net/netip"
	"time"

	"github.com/closewait/closewait/tcp"
)

// Connection is one TCP connection of a capture, or what of it was caught.
type Connection struct {
	// Ends are its two ends, the one that sent the first SYN first; without a SYN,
	// the one that sent the first segment.
	Ends [2]netip.AddrPort
	// Began is when the first segment was caught, by the clock of who caught it.
	Began    time.Time
	Segments []Segment
	// opened: a SYN was seen.
	opened bool
}

// Segment is a segment as it was caught.
type Segment struct {
	// At counts from the connection's first segment on.
	At   time.Duration
	From int // which of the Ends
	tcp.Segment
	// Lost: a comment in the capture says that the link lost it, as the lab's do.
	Lost bool
}

// flow names a connection whichever way a segment goes.
type flow struct{ low, high netip.AddrPort }

func flowOf(a, b netip.AddrPort) flow {
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	return flow{a, b}
}

// add appends a segment.
func (c *Connection) add(from netip.AddrPort, at time.Time, s tcp.Segment, lost bool) {
	if s.Has(tcp.SYN) && !s.Has(tcp.ACK) && !c.opened {
		c.opened = true
		if c.Ends[0] != from { // what came before the SYN was caught the other way round
			c.Ends[0], c.Ends[1] = c.Ends[1], c.Ends[0]
			for i := range c.Segments {
				c.Segments[i].From ^= 1
			}
		}
	}
	side := 0
	if from == c.Ends[1] {
		side = 1
	}
	c.Segments = append(c.Segments, Segment{At: max(0, at.Sub(c.Began)), From: side, Segment: s, Lost: lost})
}
