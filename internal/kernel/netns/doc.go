// Package netns finds the network namespaces of a host and runs functions
// inside them.
//
// Found are the namespaces of processes and those bind-mounted somewhere (by
// "ip netns", container runtimes, and so on). A namespace that only an open
// descriptor, a socket, or a single thread of a process keeps alive is not in
// any list; [OfSocket] reaches one through its socket.
//
// Seeing another user's processes needs ptrace access to them (CAP_SYS_PTRACE),
// entering a namespace CAP_SYS_ADMIN, OfSocket CAP_NET_ADMIN. All functions are
// safe for concurrent use and keep no state. The package is empty on systems
// other than Linux.
package netns
