package explore

import (
	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// fact is what the search asks of a connection at every turn.
type fact struct {
	una, rcvNxt, end tcp.Seq
	iss, irs         tcp.Seq
	unread           uint32
	state            tcp.State
	is               traits
}

// traits are a connection's properties, as a set.
type traits uint16

const (
	detached   traits = 1 << iota // no application any more
	synced                        // was ESTABLISHED or beyond
	finHere                       // the peer's FIN is in order
	finQueued                     // the application said that it writes no more
	finAcked                      // our FIN is acknowledged
	readClosed                    // shutdown(SHUT_RD)
	failed                        // ended by an error
	timed                         // a deadline is set
	due                           // it is now
	callable                      // the application may call
)

func (f *fact) has(t traits) bool { return f.is&t == t }

func (e *endpoint) factOf(c *model.Conn) fact {
	f := fact{
		una: c.SndUna(), rcvNxt: c.RcvNxt(), end: endOf(c), iss: c.ISS(), irs: c.IRS(),
		unread: c.Unread(), state: c.State(),
	}
	at, on := c.NextDeadline()
	for t, yes := range map[traits]bool{
		detached: c.Detached(), synced: c.Synchronized(), finHere: c.FinReceived(), finQueued: c.WriteClosed(),
		finAcked: c.FinAcked(), readClosed: c.ReadClosed(), failed: c.EndError() != model.OK,
		timed: on, due: on && at <= model.Epoch,
		// Until accept() returns it, an application has no descriptor of a
		// passive connection.
		callable: !c.Detached() && (!c.Passive() && c.State() != tcp.Listen || c.Synchronized()),
	} {
		if yes {
			f.is |= t
		}
	}
	return f
}

// endOf is the sequence number after the last octet written.
func endOf(c *model.Conn) tcp.Seq {
	end := c.SndUna().Add(c.SendQ())
	if c.WriteClosed() {
		end-- // the FIN's, acknowledged or not
	}
	return end
}
