package remedy

import "github.com/closewait/closewait/tcp"

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

func freesOf(d Degree, state tcp.State) *Frees {
	switch d {
	case Room:
		return &Frees{Port: "no", Memory: "no", Peer: "notices nothing", Descriptor: "frees none: it allows more of them"}
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
		f := &Frees{
			Port: "at once (not if the application bound it itself)", Memory: "what waits to be sent; what is unread stays with the descriptor",
			Peer: "gets a RST: its read fails with ECONNRESET", Descriptor: stays + "; its next call fails with ECONNABORTED, or EPIPE",
		}
		if state == tcp.Closing || state == tcp.LastAck {
			f.Peer = "gets nothing: both sides have sent their FIN"
		}
		return f
	}
	return nil
}
