// Package misbehave holds small real programs that each handle TCP connections
// wrongly in one way (or rightly, in a way that looks wrong). Tests, the demo and
// the benchmarks start them and know, from Program.Record, what a look at the
// host must find.
//
// A program is the current binary started again: main and TestMain call Child
// first. It is made of actors, processes that do nothing on their own: the culprit
// (one or several workers) whose sockets misbehave, and its well-behaved peer.
// Start plays a kind's script on them, step by step, and returns when the kernel
// itself (sock_diag asked for exactly these addresses, TCP_INFO, poll) confirms the
// state of every connection. Actors use raw system calls: Go's net package would
// turn keepalive on and read ahead.
//
// A Program may be used from several goroutines. No privilege is needed, but for
// the kinds that are Privileged (CAP_NET_ADMIN), Spec.NetNS (CAP_SYS_ADMIN),
// Spec.UID and Spec.PIDNS (root). Whatever happens to the process that called
// Start, its programs end with it. Linux only: elsewhere Child does nothing and
// Start returns ErrUnsupported.
package misbehave
