package remedy

import (
	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/tcp"
)

// Frees says what an act frees, as measured on Linux (docs/fix.md has the table).
type Frees struct {
	// Port is the local port, Memory the kernel's, Peer what the other side gets.
	Port   string `json:"port"`
	Memory string `json:"memory"`
	Peer   string `json:"peer"`
	// Descriptor is the application's.
	Descriptor string `json:"descriptor"`
}

const stays = "stays with the application until it closes it"

func freesOfRoom() *Frees {
	return &Frees{Port: "no", Memory: "no", Peer: "notices nothing", Descriptor: "frees none: it allows more of them"}
}

func freesOf(d Degree, c *candidate) *Frees {
	switch d {
	case KeepAlive:
		return &Frees{
			Port: "when it ends (not if the application bound it itself)", Memory: "what waits to be sent; what is unread stays with the descriptor",
			Peer: "gets a probe, and answers with a RST if it has no such connection", Descriptor: stays,
		}
	case Shutdown:
		return &Frees{
			Port: "when the peer has acknowledged the FIN (not if the application bound it itself)", Memory: "what is unread stays with the descriptor",
			Peer: "gets a FIN: its read returns zero", Descriptor: stays + "; a poller or writer wakes up, and may",
		}
	case Destroy:
		return freesOfDestroy(c)
	}
	return nil
}

// freesOfDestroy: the descriptor is the application's only where it has one.
func freesOfDestroy(c *candidate) *Frees {
	f := &Frees{
		Port: "at once (not if the application bound it itself)", Memory: "what waits to be sent; what is unread stays with the descriptor",
		Peer: "gets a RST: its read fails with ECONNRESET", Descriptor: stays + "; its next call fails with ECONNABORTED, or EPIPE",
	}
	switch {
	case c.finding.Cause == diagnose.NeverAccepted:
		f.Port, f.Memory = "none: it is the listener's", "what waits to be sent; what is unread stays in the listener's queue"
		f.Descriptor = "there is none yet; the place in the listener's queue stays taken until the application accepts it"
	case c.seen.Inode == 0:
		f.Port, f.Memory, f.Descriptor = "at once", "all that it has", "there is none: its application has closed it"
	case c.finding.Cause == diagnose.Ownerless:
		f.Memory = "what waits to be sent; what is unread stays with whatever holds it"
		f.Descriptor = "no process was seen to have one; whatever holds it keeps it"
	}
	if s := c.finding.State; s == tcp.Closing || s == tcp.LastAck {
		f.Peer = "gets nothing: both sides have sent their FIN"
	}
	return f
}
