// Package collect looks at a host once and returns what it saw as an
// observe.Snapshot. It is the only converter between the raw facts of the
// kernel readers (sock_diag, /proc, pidfd, BPF iterators) and package observe.
//
// Two readers give the same snapshot. "bpf" reads the sockets of every process
// in every network namespace in one pass of a BPF iterator, and needs CAP_BPF
// and CAP_PERFMON. "procfs" dumps each namespace by sock_diag and finds the
// owners in /proc; it works everywhere and sees what its privileges allow. What
// either could not see is a Limit of the snapshot, never silent.
//
// A Look may run beside another. It changes nothing on the host.
package collect

import "time"

// Options says how to look. The zero value is what closewait scan does.
type Options struct {
	// Reader is "auto" (or ""), "bpf" or "procfs". "auto" takes bpf where it can
	// be loaded.
	Reader string
	// Window is how recent traffic on an ESTABLISHED socket must be for it to be
	// kept as a possible live leg of a relay; zero means 60 s.
	Window time.Duration
	// SensorDir is where a sensor may be pinned; "" is where "closewait sensor start"
	// pins it.
	SensorDir string
	// Sensing is an open sensor to read instead; nil reads the one that is pinned.
	Sensing *Sensing
	// ProcRoot is the mounted proc filesystem; "" means /proc.
	ProcRoot string
}

func (o Options) window() time.Duration {
	if o.Window <= 0 {
		return 60 * time.Second
	}
	return o.Window
}

// UnsupportedError says that this operating system has no kernel that could be
// asked.
type UnsupportedError struct{ OS string }

func (e *UnsupportedError) Error() string {
	return "cannot look at this host: closewait reads the Linux kernel's sockets, and this is " + e.OS +
		"; a snapshot saved on Linux (closewait scan --save FILE) can be diagnosed here with --from FILE"
}
