// Package procfs reads facts about processes, and about the calling thread's
// network namespace, from /proc: who holds which sockets, what a process is,
// the namespace's TCP settings and counts, and the host's name and boot.
//
// It returns raw values and draws no conclusion. What it reads is written by
// others: every value is bounded, every length is checked, and a process that
// exits, execs, or gives its pid to another while it is being read yields an
// error, never a mixture.
//
// An FS is an immutable value and may be used from many goroutines. Nothing
// here needs privilege, but the kernel keeps some files from strangers: the
// descriptors, executable and namespaces of another user's process need
// CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH. Functions that speak of a network
// namespace mean the calling thread's: a caller that has changed it must hold
// the thread (runtime.LockOSThread).
package procfs
