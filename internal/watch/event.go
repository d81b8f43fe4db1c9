package watch

import (
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// Kind says what an Event tells. The words are part of the JSON.
type Kind string

// The kinds.
const (
	// Began: the first look; Note says what there was.
	Began Kind = "began"
	// FINReceived: the peer has ended its half.
	FINReceived Kind = "fin-received"
	// FINSent: this side has ended its half first, and still has the socket.
	FINSent Kind = "fin-sent"
	// ZeroRead: a read took the peer's FIN.
	ZeroRead Kind = "zero-read"
	// Stuck: a diagnosis counts it as stuck from now on.
	Stuck Kind = "stuck"
	// Ended: the connection is gone, and so is its descriptor, if it had one.
	Ended Kind = "ended"
	// Masked: the connection is gone, its descriptor stays: the leak goes on.
	Masked Kind = "masked"
	// Released: the descriptor that had stayed is closed.
	Released Kind = "released"
	// Dropped: events were lost; Count says how many.
	Dropped Kind = "dropped"
	// SensorStopped: somebody stopped the sensor, which the watch has kept.
	SensorStopped Kind = "sensor"
)

// EndUnknown is an end that looks alone can not tell; the others are package
// observe's.
const EndUnknown observe.End = "unknown"

// Origin is who saw an event.
type Origin string

// The origins: differences between two looks, and the exact source.
const (
	FromLooks  Origin = "looks"
	FromSensor Origin = "sensor"
)

// Event is one thing that happened to one connection.
type Event struct {
	Kind Kind `json:"event"`
	// At is when; if WithinS is not 0, it was then or up to so many seconds before.
	At      time.Time `json:"at"`
	WithinS float64   `json:"within_s"`
	Source  Origin    `json:"source"`
	NetNS   uint64    `json:"netns,omitempty"`
	Cookie  string    `json:"cookie,omitempty"`
	Inode   uint64    `json:"inode,omitempty"`
	Local   string    `json:"local,omitempty"`
	Remote  string    `json:"remote,omitempty"`
	// State is the connection's after the event, or its last.
	State tcp.State `json:"state,omitzero"`
	Owner *Owner    `json:"owner,omitempty"`
	// Cause is what the last diagnosis said; Finding is that finding's id.
	Cause   diagnose.Cause `json:"cause,omitempty"`
	Finding string         `json:"finding,omitempty"`
	// HalfClosed is for how long it had been half-closed.
	HalfClosed *diagnose.Age `json:"half_closed,omitempty"`
	// End is how it ended, and Confidence how sure Kind and End are.
	End        observe.End         `json:"end,omitempty"`
	Confidence diagnose.Confidence `json:"confidence,omitempty"`
	Note       string              `json:"note,omitempty"`
	// Count is how many events a Dropped one stands for.
	Count uint64 `json:"count,omitempty"`
	// The code, where a sensor took it: who opened the connection, read it first,
	// and got the zero.
	OpenedBy []observe.Frame `json:"opened_by,omitempty"`
	ReadBy   []observe.Frame `json:"read_by,omitempty"`
	ZeroBy   []observe.Frame `json:"zero_by,omitempty"`
	// Limits is what could not be seen, of a Began event.
	Limits []string `json:"limits,omitempty"`
}

// Owner is whose connection it is.
type Owner struct {
	PID int `json:"pid"`
	// Name is what the program calls itself.
	Name string `json:"name,omitempty"`
	// FDs are the descriptors, by process.
	FDs []observe.Holder `json:"fds,omitempty"`
}
