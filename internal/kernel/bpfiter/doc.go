// Package bpfiter reads TCP sockets through BPF iterators: raw kernel facts, as
// fixed-size records, without a walk of /proc.
//
// Why iterators. sock_diag shows the sockets of one network namespace and names
// no process; finding owners through /proc costs one readlink for every
// descriptor of every process. An iter/task_file program sees every descriptor
// of every process in every namespace in one pass, reads what it wants of the
// sockets behind them, and writes 184 bytes for each that matters. It also sees
// what no dump lists: descriptors whose connection a RST has ended (claims C8
// and C9), and a socket's own keepalive, user-timeout and RTO settings. Sockets
// that no descriptor refers to (never accepted, orphans) come from iter/tcp,
// one network namespace at a time.
//
// What it can not see: MPTCP connections without a descriptor (iter/tcp lists
// only their subflows), descriptors inside another socket's queue (SCM_RIGHTS)
// or registered with io_uring. A process that starts or ends during a pass may
// be missed, as with any walk.
//
// A descriptor has one record, whatever number of threads shares it; one that
// several processes hold has one for each.
//
// Cost, measured on Linux 6.18: to load 20 ms, half of it to read the kernel's
// BTF; a pass over an idle host 1 ms; over 100,000 CLOSE_WAIT sockets 70 ms, most
// of which is waiting for memory (bpf/ahead.h).
//
// Privileges: CAP_BPF and CAP_PERFMON in the initial user namespace, to load;
// reading needs none. Kernel: 5.12 or newer, 64-bit and little-endian, with BTF
// (CONFIG_DEBUG_INFO_BTF). Fields that only newer kernels have read as zero
// elsewhere. A lockdown for confidentiality forbids it; one for integrity does
// not. Open says what is missing in an *UnavailableError, so that a caller can
// fall back.
//
// The passes of a Reader may run at the same time, in several goroutines; they
// take one processor each, so the two kinds side by side take half the time. Two
// Unowned or Held passes wait for each other.
// Nothing is attached to the running kernel: the programs run only while a pass
// reads, and are gone after Close.
package bpfiter
