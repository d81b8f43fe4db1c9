//go:build linux

package sockdiag

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Stats tells how a dump went.
type Stats struct {
	// Rows is how many rows the callback was given since the last restart.
	Rows int
	// Repeated counts rows that came a second time and were dropped.
	Repeated int
	// Tries is 1 unless a dump was interrupted.
	Tries int
	// Torn is set when the last try was interrupted too: rows may be missing.
	Torn bool
	// Bytes is what the kernel sent, in all tries.
	Bytes int64
}

// maxTries is how often an interrupted dump is begun in all.
const maxTries = 4

// Dump lists the sockets of q. Each row is given to each, which must not keep
// the pointer: the next row overwrites it. An error of each ends the dump and
// is returned, wrapped.
//
// When the kernel says that a dump was interrupted, restart is called, which
// must forget all rows so far, and the dump is begun again, up to three times.
// With a nil restart it is not repeated. A dump that was interrupted to the last
// is no error: what it gave is kept and Stats.Torn is set.
func (c *Conn) Dump(ctx context.Context, q Query, each func(*Row) error, restart func()) (Stats, error) {
	var stats Stats
	ended := c.watch(ctx)
	err := c.dump(ctx, q, each, restart, &stats)
	if err = ended(err); err != nil {
		return stats, &Error{Op: "dump", Err: err}
	}
	return stats, nil
}

func (c *Conn) dump(ctx context.Context, q Query, each func(*Row) error, restart func(), stats *Stats) error {
	if err := c.drain(ctx); err != nil {
		return err
	}
	for {
		stats.Tries++
		stats.Rows, stats.Repeated = 0, 0
		t := try{conn: c, proto: q.protocol(), each: each, stats: stats}
		if err := t.run(ctx, q); err != nil {
			return err
		}
		stats.Torn = t.torn
		if !t.torn || restart == nil || stats.Tries == maxTries {
			return nil
		}
		restart()
	}
}

// try is one dump, from its request to its end.
type try struct {
	conn  *Conn
	proto Protocol
	each  func(*Row) error
	stats *Stats
	seam  seam
	row   Row
	torn  bool
	done  bool
}

func (t *try) run(ctx context.Context, q Query) error {
	typ, payload := q.request()
	seq, err := t.conn.link.send(typ, flagRequest|flagDump, payload)
	if err != nil {
		return err
	}
	t.conn.left = seq
	for !t.done {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := t.conn.link.recv(t.conn.buf)
		if errors.Is(err, unix.ENOBUFS) {
			t.torn = true // the kernel dropped a datagram for want of room
			continue
		}
		if err != nil {
			return err
		}
		t.stats.Bytes += int64(n)
		if err := t.datagram(datagram{rest: t.conn.buf[:n]}, seq); err != nil {
			return err
		}
	}
	return nil
}

func (t *try) datagram(d datagram, seq uint32) error {
	t.seam.begin()
	for d.next() {
		if d.seq != seq {
			continue // an answer to an earlier request
		}
		if d.flags&flagDumpInterrupted != 0 || d.typ == typeOverrun {
			t.torn = true
		}
		switch d.typ {
		case typeDone, typeError:
			t.done, t.conn.left = true, 0
			return t.explain(d.status())
		case typeByFamily, typeCompat:
			if err := t.take(d.payload); err != nil {
				return err
			}
		}
	}
	return d.err
}

// explain turns the kernel's refusal into one that a reader understands.
func (t *try) explain(err error) error {
	if !errors.Is(err, unix.ENOENT) {
		return err
	}
	module := "tcp_diag"
	if t.proto == MPTCP {
		module = "mptcp_diag"
	}
	return fmt.Errorf("the kernel has no handler for protocol %d, try modprobe %s: %w", t.proto, module, errors.ErrUnsupported)
}

func (t *try) take(payload []byte) error {
	if err := parseRow(payload, &t.row, t.proto); err != nil {
		return err
	}
	// The MPTCP sockets that one listener accepted share its cookie (measured on
	// 6.18), so their cookies tell nothing.
	if t.proto != MPTCP && t.seam.repeats(t.row.Cookie) {
		t.stats.Repeated++
		return nil
	}
	t.stats.Rows++
	return t.each(&t.row)
}

// seam finds rows that come twice. Between two datagrams the kernel remembers
// its place as an index into one hash bucket; a socket put in front meanwhile
// shifts that bucket, and its last rows come again as the first of the next
// datagram.
type seam struct {
	last    [16]uint64 // cookies of the newest rows, a ring
	at      int
	closing bool // no row of this datagram was new yet
}

func (s *seam) begin() { s.closing = true }

func (s *seam) repeats(cookie uint64) bool {
	if s.closing && cookie != 0 && slices.Contains(s.last[:], cookie) {
		return true
	}
	s.closing = false
	s.last[s.at] = cookie
	s.at = (s.at + 1) % len(s.last)
	return false
}
