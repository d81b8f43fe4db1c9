package procfs

import (
	"errors"
	"io/fs"

	"github.com/prometheus/procfs"
)

// Counters are the kernel's own counts of TCP sockets.
type Counters struct {
	// InUse counts the sockets of the calling thread's network namespace that are
	// in some state other than CLOSED and TIME_WAIT, IPv4 and IPv6.
	InUse int
	// TimeWait counts its TIME_WAIT sockets, and FIN_WAIT_2 ones that have none
	// but the kernel, of both.
	TimeWait int
	// Orphan counts the sockets that no process has any more, of the whole host:
	// the kernel keeps no count by namespace (net/ipv4/proc.c, sockstat_seq_show).
	Orphan int
	// Alloc counts all TCP sockets of the whole host but those in TIME_WAIT, in
	// every namespace and state.
	Alloc int
}

// Counters reads the counts of the calling thread's network namespace.
func (f FS) Counters() (Counters, error) {
	// net is a link to self/net, the namespace of the process's main thread.
	const thread = "thread-self"
	var c Counters
	proc, err := procfs.NewFS(f.mount() + "/" + thread)
	if err != nil {
		return c, &Error{File: thread, Err: err}
	}
	v4, err := proc.NetSockstat()
	if err != nil {
		return c, &Error{File: thread + "/net/sockstat", Err: err}
	}
	c.add(v4, "TCP")
	v6, err := proc.NetSockstat6()
	if errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6
		return c, nil
	}
	if err != nil {
		return c, &Error{File: thread + "/net/sockstat6", Err: err}
	}
	c.add(v6, "TCP6")
	return c, nil
}

func (c *Counters) add(stat *procfs.NetSockstat, protocol string) {
	for _, p := range stat.Protocols {
		if p.Protocol != protocol {
			continue
		}
		c.InUse += p.InUse
		if p.Orphan != nil {
			c.Orphan += *p.Orphan
		}
		if p.Alloc != nil {
			c.Alloc += *p.Alloc
		}
		if p.TW != nil {
			c.TimeWait += *p.TW
		}
	}
}
