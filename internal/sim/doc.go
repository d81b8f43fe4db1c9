// Package sim plays model connections as hosts do: sockets with descriptors,
// listeners, ports, many connections at once; and a link between two of them
// in virtual time.
//
// Nothing here reads a clock, starts a goroutine or draws chance: every method
// takes now and returns what there is to send. A Host is not safe for
// concurrent use. No privileges are needed.
package sim
