// Package lab plays stories on this machine's own kernel, an [Engine] of package
// scenario named "linux": two hosts, each a network namespace of its own with a
// real process that owns real sockets, joined by a bridge in a third namespace.
// Loss is made in that bridge, by nftables; segments are captured there, so
// that what was sent and what arrived are both known; states, queues and timers
// come from sock_diag.
//
// # Time
//
// A story's minutes take seconds. The namespaces' own settings shorten the
// kernel's timers, and a [Pace] says by how much; while such a timer runs, the
// story's time goes faster than the world's by the same factor. Where no kernel
// timer runs, time is stepped over. What can not be had to scale is told in
// [Run.Notes].
//
// # Concurrency
//
// An Engine is used by one goroutine. Distinct Engines share nothing and may
// run at the same time. Each has a thread of its own and two child processes.
//
// # Privileges
//
// CAP_SYS_ADMIN and CAP_NET_ADMIN, in the initial user namespace or any other:
// [Reenter] starts the program again in a new user namespace, where the kernel
// allows that to everybody. Nothing has a name outside: the namespaces live as
// long as the engine's descriptors and children, and the children die with the
// engine's process, however that ends.
package lab
