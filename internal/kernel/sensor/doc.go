// Package sensor keeps the history of every TCP connection in the kernel, where
// it happens, and reads it: when the connection was opened and by which code, when
// the FIN came, whether a read really returned zero and which code got it, how the
// connection ended. sock_diag and bpfiter tell what is; this tells what was.
//
// How. Six programs on stable tracepoints, by BTF, note what happens in storage of
// the socket's own (BPF_MAP_TYPE_SK_STORAGE): 56 bytes, with the kernel's own 320,
// that are born and freed with the socket, and survive every reader. Only ends,
// FINs and zero reads go to readers as events, and only if one asked for them.
// Stacks are taken at a connect, a connection's first read and its first zero, never
// at each read, and kept once each.
//
//	s, err := sensor.Load()         // this process's own: gone with it, however it ends
//	err := sensor.Start("")         // pinned under /sys/fs/bpf/closewait, until Stop
//	s, err := sensor.Open("")       // the pinned one
//	err = s.History(func(r *sensor.Record) error { … })
//	err = s.Events(ctx, sensor.EventOptions{}, func(e *sensor.Event) error { … })
//
// Family is a program of its own, which notes at each fork which processes descend
// from one: an event may be read when its process has been reaped.
//
// Another BPF program reads histories by bpf/history.h and the map histories.
//
// What is a read of zero. The peer has finished, its FIN is consumed, and a read
// with room for data returned nothing. A look by MSG_PEEK is only noted; a read of no
// length, one after a shutdown(SHUT_RD) of one's own, and one that takes the last
// byte together with the FIN are none. Reads by splice count, by io_uring too;
// TCP_ZEROCOPY_RECEIVE is not seen.
//
// What it can not see: what was before it (Older); of an inbound connection, who
// accepted it, for no tracepoint is there that may touch the socket: its first
// reader stands for that; of MPTCP, more than the connection's states and its zero
// reads; the code of a process built without frame pointers, beyond the wrapper's
// caller; 32-bit programs' stacks. While a program runs on a processor the kernel
// leaves out a second call of it from an interrupt there: Status counts them
// (Skipped), with everything else that could not be kept.
//
// Cost: see docs/bench-sensor.md.
//
// Privileges: CAP_BPF and CAP_PERFMON in the initial user namespace; to pin, write
// access to a BPF filesystem; for Cost, CAP_SYS_ADMIN. Kernel: 5.15 or newer, 64-bit
// and little-endian, with BTF; 6.3 or newer for reads that return zero (without,
// only those by splice are seen, and Status says so). A lockdown for
// confidentiality forbids it, one for integrity does not. *UnavailableError says
// what is missing. Checked on x86-64; what is said of arm64 is compiled, not tried.
//
// A Sensor may be used by several goroutines at a time. One pinned sensor serves
// several processes; four may listen to its events at a time.
package sensor
