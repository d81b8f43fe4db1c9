package bpfiter

// buckets is BUCKETS of bpf/sockets.bpf.c.
const buckets = 256

// Tally sums up a set of sockets by their cookies, in buckets: two tallies are
// equal if the sets are. That unequal sets have equal tallies is as likely as to
// guess a number of 64 bits. The zero Tally is that of no socket.
type Tally [buckets]uint64

// Buckets marks some buckets of a Tally.
type Buckets [buckets]bool

// Add counts a socket. A set's order does not matter; a socket may not come twice.
func (t *Tally) Add(cookie uint64) {
	mixed := cookie * 0x9e3779b97f4a7c15
	t[cookie%buckets] += mixed ^ mixed>>32
}

// Differ marks the buckets in which the sets differ, and reports whether there is one such.
func (t *Tally) Differ(other *Tally) (in Buckets, differ bool) {
	for i := range t {
		if t[i] != other[i] {
			in[i], differ = true, true
		}
	}
	return in, differ
}
