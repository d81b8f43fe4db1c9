package model

import "time"

// Time is a point in virtual time, in nanoseconds since an epoch of the
// caller's choice; also a span of it. 0 means "no such time" where a deadline
// may be off, so a caller starts its clock above 0 (at Epoch, say).
type Time int64

// Spans of Time.
const (
	Millisecond = Time(time.Millisecond)
	Second      = Time(time.Second)
	Minute      = Time(time.Minute)
	Hour        = Time(time.Hour)
)

// Epoch is the earliest time at which a Conn can be stepped, and the now of
// every Conn that [Conn.Relative] returns.
const Epoch Time = 1

// Duration converts a span of virtual time to one of package time.
func (t Time) Duration() time.Duration { return time.Duration(t) }

// String formats a span as package time does: "1m0.2s".
func (t Time) String() string { return time.Duration(t).String() }
