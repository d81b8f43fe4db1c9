package observe

import "time"

// History is what the sensor saw happen to a connection. Its times are exact; a
// zero time is "never", or "before the sensor was there".
type History struct {
	// Opened is when it was connected or became established.
	Opened time.Time `json:"opened,omitzero"`
	// Outbound: this host connected. Inbound: it accepted. Neither: not seen.
	Outbound bool `json:"outbound,omitempty"`
	Inbound  bool `json:"inbound,omitempty"`
	// Older connections were there before the sensor.
	Older bool `json:"older,omitempty"`
	// HalfClosed is when the first FIN came (FINReceived) or went.
	HalfClosed  time.Time `json:"half_closed,omitzero"`
	FINReceived bool      `json:"fin_received,omitempty"`
	// Zero is when a read first returned zero, and Zeros how many have; 65535 is
	// that or more.
	Zero  time.Time `json:"zero,omitzero"`
	Zeros int       `json:"zeros,omitempty"`
	// Peeked: a read with MSG_PEEK saw the end, which takes nothing.
	Peeked bool `json:"peeked,omitempty"`
	// Ended is when and End how the connection of a dead descriptor ended.
	Ended time.Time `json:"ended,omitzero"`
	End   End       `json:"end,omitempty"`
	// OpenedBy, ReadBy and ZeroBy are the stacks of who connected or accepted it,
	// first read from it, and first read zero; they index Sensor.Stacks, from 1 on.
	// 0 is not known.
	OpenedBy int `json:"opened_by,omitempty"`
	ReadBy   int `json:"read_by,omitempty"`
	ZeroBy   int `json:"zero_by,omitempty"`
}

// End is how a connection ended.
type End string

// The ends.
const (
	EndClosed        End = "closed"          // by the application
	EndExited        End = "exited"          // by the end of its process
	EndReset         End = "reset"           // by a RST that came
	EndKeepalive     End = "keepalive"       // keepalive probes were not answered
	EndRetransmitted End = "retransmissions" // nor was what was sent
	EndDestroyed     End = "destroyed"       // by SOCK_DESTROY
	EndListener      End = "listener"        // its listener was closed
	EndPeer          End = "peer"            // the peer closed its half too
	EndOther         End = "other"
)

// Sensor is the sensor of this host, if one runs.
type Sensor struct {
	Since time.Time `json:"since"`
	// Blind: this kernel does not show it reads that return zero.
	Blind bool `json:"blind,omitempty"`
	// Stacks are those that histories refer to, named.
	Stacks []Stack `json:"stacks,omitempty"`
}

// Stack is what a process was doing, innermost frame first.
type Stack struct {
	PID    int32   `json:"pid"` // the first that was seen to
	Frames []Frame `json:"frames"`
}

// Frame is one function of a stack.
type Frame struct {
	// Function is empty where only Module and Offset are known.
	Function string `json:"function,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	// Module is the file that the code is from.
	Module string `json:"module,omitempty"`
	Offset uint64 `json:"offset,omitempty"`
	Note   string `json:"note,omitempty"`
	// Tells marks the one or two frames that say most of who it was.
	Tells bool `json:"tells,omitempty"`
}
