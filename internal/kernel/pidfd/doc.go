// Package pidfd looks at a socket of another process without touching its
// connection: it copies the descriptor (pidfd_getfd), asks the kernel what may
// be asked without consequence, and closes the copy within microseconds.
//
// Nothing is ever read, written or set on a copy here, and SO_ERROR is never asked
// for: answering would take the pending error from the application. While a
// copy is open, a close by its owner takes effect only when the copy is closed too.
//
// A Handle names one process for good, even when its pid is used again, and is
// for one goroutine at a time. The kernel lets a caller copy from the processes
// that it may trace: its own user's, with CAP_SYS_PTRACE any, and Yama may allow
// less. Linux 5.6 or newer.
package pidfd
