package model

import (
	"fmt"

	"github.com/closewait/closewait/tcp"
)

// Timer is one of a connection's timers.
type Timer uint8

// The timers.
const (
	// Retransmission: RFC 6298.
	Retransmission Timer = iota
	// Probe: the zero-window probe (RFC 9293 §3.8.6.1).
	Probe
	// Keepalive: RFC 9293 §3.8.4.
	Keepalive
	// FinWait: FIN-WAIT-2 ends by time, which no RFC says.
	FinWait
	// TwoMSL: TIME-WAIT (MUST-13).
	TwoMSL
	// DelayedAck: RFC 9293 §3.8.6.3.
	DelayedAck
	// UserLimit: the application's limit (RFC 5482, RFC 9293 §3.10.8).
	UserLimit
	// Send: one Step could not send all; due at once.
	Send
	timers
)

var timerNames = [timers]string{"retransmission", "probe", "keepalive", "fin-wait-2", "2msl", "delayed-ack", "user-timeout", "send"}

// String returns the timer's name.
func (t Timer) String() string {
	if t < timers {
		return timerNames[t]
	}
	return fmt.Sprintf("timer-%d", uint8(t))
}

// Deadline returns when one timer is due, and whether it is on.
func (c Conn) Deadline(t Timer) (Time, bool) {
	at := c.deadline(t)
	return at, at != 0
}

func (c *Conn) deadline(t Timer) Time {
	switch t {
	case Retransmission:
		if !c.has(persisting) {
			return c.sendAt
		}
	case Probe:
		if c.has(persisting) {
			return c.sendAt
		}
	case Keepalive:
		return c.keepAt
	case FinWait:
		if c.state == tcp.FinWait2 {
			return c.waitAt
		}
	case TwoMSL:
		if c.state == tcp.TimeWait {
			return c.waitAt
		}
	case DelayedAck:
		return c.delayedAt
	case UserLimit:
		return c.stallAt
	case Send:
		return c.moreAt
	}
	return 0
}

// NextDeadline returns when the connection wants a Tick, and whether it does.
// It may lie in the past: then a Tick is due at once.
func (c Conn) NextDeadline() (Time, bool) {
	next := Time(0)
	for _, at := range [...]Time{c.sendAt, c.moreAt, c.keepAt, c.waitAt, c.delayedAt, c.stallAt} {
		if at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	return next, next != 0
}
