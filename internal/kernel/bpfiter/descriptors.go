package bpfiter

// descriptors remembers those that threads showed. Threads normally show none:
// the kernel skips one that shares its leader's table. But a leader that has
// exited has no table any more, and then every other thread shows the same one.
type descriptors map[descriptor]struct{}

type descriptor struct {
	pid, fd int32
	// what is the cookie: a thread may have a table of its own.
	what uint64
}

// seen reports whether r repeats a descriptor that another thread showed.
func (d descriptors) seen(r *Record) bool {
	if r.TID == r.PID {
		return false
	}
	key := descriptor{r.PID, r.FD, r.Cookie}
	if r.Kind == KindNetNS {
		key.what = uint64(r.NetNS)
	}
	if _, ok := d[key]; ok {
		return true
	}
	d[key] = struct{}{}
	return false
}
