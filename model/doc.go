// Package model is one TCP endpoint as a pure function: what RFC 9293 and a
// stack's profile say that a connection does next.
//
//	next, effects := model.Step(&profile, conn, event, now)
//
// A [Conn] is a connection, an [Event] what happens to it (a user call, a
// segment's arrival, a timer), [Effects] what it does about it: segments to
// send, what the call returned, and what the application would notice. A
// [Profile] is a stack, as a table of knobs.
//
// All of them are values. A Conn can be compared with ==, used as a map's key,
// kept and stepped again; nothing in this package reads a clock, draws chance
// or keeps state, and no input panics. Time is an argument: see [Time].
//
// What is modelled is the life of a connection, from open to the last timer:
// states, sequence numbers, windows, retransmission, keepalive, zero-window
// probes, TIME-WAIT, and what read, write and close return. Data is a count of
// octets. Not modelled: congestion control, but for the loss window (a step sends
// at most [MaxSegments], the rest follows at once by [Tick]); timestamps, urgent
// data, path MTU, and options other than MSS and one gap of SACK.
//
// The package needs no privileges and the standard library only; its values
// are safe for concurrent use as any values are.
package model
