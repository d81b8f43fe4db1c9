package explore

// world is a state of the whole: two connections, what is in flight between
// them, and what has been used of the bounds. Connections and segments are
// numbers (endpoint, segments).
type world struct {
	conn [2]uint32
	// flight[i] is on its way to side i, oldest first.
	flight [2]queue
	// wrote is what each application's writes took, got what its reads returned.
	wrote, got [2]uint8

	lost, duplicated, overtook, late uint8
	memory
}

// memory is what a state must remember of its past to be asked about.
type memory uint8

const (
	rstLost memory = 1 << iota // a RST has been lost
	zero0                      // a read of side 0 returned zero
	zero1
)

// zero is the bit of one side.
func zero(side int) memory { return zero0 << side }

func (m memory) mirrored() memory {
	return m&rstLost | m&zero0<<1 | m&zero1>>1
}

// queue holds segments in the order they were sent.
type queue struct {
	segs [mostInFlight]segID
	n    int
}

func (q *queue) add(s segID) {
	q.segs[q.n] = s
	q.n++
}

func (q *queue) take(i int) segID {
	s := q.segs[i]
	copy(q.segs[i:q.n], q.segs[i+1:q.n])
	q.n--
	q.segs[q.n] = 0
	return s
}

// key is a world, encoded: two worlds are the same if their keys are.
type key [6]uint64

func (w *world) key() key {
	return key{
		uint64(w.conn[0]) | uint64(w.conn[1])<<32,
		w.flight[0].half(0), w.flight[0].half(4),
		w.flight[1].half(0), w.flight[1].half(4),
		uint64(w.wrote[0]) | uint64(w.wrote[1])<<4 | uint64(w.got[0])<<8 | uint64(w.got[1])<<12 |
			uint64(w.lost)<<16 | uint64(w.duplicated)<<24 | uint64(w.overtook)<<32 | uint64(w.late)<<40 |
			uint64(w.memory)<<48,
	}
}

func (q *queue) half(from int) uint64 {
	s := q.segs[from : from+4 : from+4]
	return uint64(s[0]) | uint64(s[1])<<16 | uint64(s[2])<<32 | uint64(s[3])<<48
}

func (q *queue) setHalf(from int, v uint64) {
	for i := range 4 {
		s := segID(v >> (16 * i))
		q.segs[from+i] = s
		if s != 0 {
			q.n = from + i + 1
		}
	}
}

func (k *key) world(w *world) {
	*w = world{conn: [2]uint32{uint32(k[0]), uint32(k[0] >> 32)}}
	for side := range 2 {
		w.flight[side].setHalf(0, k[1+2*side])
		if k[2+2*side] != 0 {
			w.flight[side].setHalf(4, k[2+2*side])
		}
	}
	c := k[5]
	w.wrote = [2]uint8{uint8(c & 15), uint8(c >> 4 & 15)}
	w.got = [2]uint8{uint8(c >> 8 & 15), uint8(c >> 12 & 15)}
	w.lost, w.duplicated, w.overtook, w.late = uint8(c>>16), uint8(c>>24), uint8(c>>32), uint8(c>>40)
	w.memory = k.memory()
}

func (k *key) memory() memory { return memory(k[5] >> 48) }

// mirrored is the key of the same world with the sides exchanged.
func (k *key) mirrored() key {
	c := k[5]
	swapped := c&^0xff_ffff_ffff_ffff | c&0xffff_ffff_0000 | // the link's bounds have no side
		c&0x0f0f<<4 | c&0xf0f0>>4 |
		uint64(k.memory().mirrored())<<48
	return key{k[0]>>32 | k[0]<<32, k[3], k[4], k[1], k[2], swapped}
}

// less orders keys, for symmetry to choose one of two mirror images.
func (k *key) less(o *key) bool {
	for i := range k {
		if k[i] != o[i] {
			return k[i] < o[i]
		}
	}
	return false
}
