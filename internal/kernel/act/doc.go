// Package act changes sockets and limits of processes that are not closewait's
// own. It is the only room that does: it turns keepalive on, shuts down and
// destroys half-closed TCP sockets, and raises the limit of open files.
//
// Each act has its checks beside it, and nobody can have the one without the
// other. A socket is the one with the Target's cookie, in the Target's state, on
// which nothing has moved since the Target was seen; it is half-closed, never
// ESTABLISHED, and has been accepted unless the Target says otherwise. A process is the one with the
// given start time, held by a pidfd. What an act found before and left after is
// returned.
//
// What remains is time: between the last check and the act lie one or two system
// calls, and the kernel has no "if" in any of these requests. The cookie alone it
// compares itself (SOCK_DESTROY), or it can not have changed (a copied descriptor
// refers to one socket for good).
//
// A Process and a Namespace each belong to one goroutine at a time; distinct ones
// are independent. Privileges: CAP_SYS_PTRACE for descriptors of other users'
// processes (pidfd_getfd), CAP_NET_ADMIN over the namespace to destroy,
// CAP_SYS_RESOURCE for limits of other users' processes and beyond a hard limit.
// The package is empty on systems other than Linux.
package act
