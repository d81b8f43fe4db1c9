// Package sockdiag reads TCP sockets from the kernel by NETLINK_SOCK_DIAG
// (inet_diag): one row per socket, as the kernel has it and unjudged.
//
// A dump shows one network namespace, the one its [Conn] was dialled in. It
// needs no privilege for the caller's own namespace; entering another one needs
// CAP_SYS_ADMIN. Rows stream through a callback: memory does not grow with the
// number of sockets.
//
// The kernel walks its hash table between reads, so a dump of a busy host is
// not one instant: a socket that is born or dies meanwhile may be missing, and
// in a bucket that changes at the wrong moment a row may be skipped. A row that
// would come twice for that reason is dropped. Where the kernel itself says that
// a dump was interrupted (NLM_F_DUMP_INTR), the dump is repeated, and marked
// when repeating did not help.
//
// Nothing here changes anything, but for Conn.Destroy.
//
// A Conn belongs to one goroutine at a time; distinct Conns are independent.
// The package is empty on systems other than Linux.
package sockdiag
