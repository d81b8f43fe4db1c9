// Package netstack plays stories on gVisor's TCP: two stacks in this process,
// with a link between them that loses, doubles or delays what a story says, on
// a clock that stands still until somebody advances it. An hour in FIN_WAIT_2
// takes no longer than the packets that are sent in it.
//
// # When it is at rest
//
// gVisor handles arriving segments on goroutines of its own, the processors of
// transport/tcp/dispatcher.go; timers and user calls run on the goroutine that
// fires or makes them. An Engine does one thing at a time: one call, one
// arriving packet, or one timer. It then asks the stack to pause, and to resume.
// A processor pauses only when its queue of endpoints is empty, and an endpoint
// stays in that queue while it has a segment and nobody holds its lock, which
// nobody does then. So every segment that was there before is handled after.
// Handling one may pass it on to another endpoint and so to another processor
// (from one in TIME_WAIT or closed to the listener, from there to the new
// connection), never further; so the pause is repeated once for each of these
// hops. What the stack has sent by then is all that it will send, and is taken
// onto the link. Nothing is polled and nothing is waited for.
//
// With the stacks' random numbers seeded, a story is played the same way every
// time, to the sequence number.
//
// An Engine is used by one goroutine. It needs no privileges and runs on every
// system that gVisor's netstack builds for.
package netstack
