package explore

import "math/bits"

// node is a state that was found, and how.
type node struct {
	key    key
	parent uint32
	by     action
}

// maxIndex keeps indices below the mark of graph's edges.
const maxIndex = target - 1

const (
	chunkBits = 14
	chunkSize = 1 << chunkBits
)

// table holds all states in the order they were found, which is that of the
// search, and finds one by its key. Keys are compared in full: two states
// never pass for one because of their hashes.
//
// States lie in chunks, which are never moved: growing costs the slots only.
type table struct {
	chunks []*[chunkSize]node
	n      int
	// slots are an open-addressing hash table with linear probing: the upper 32
	// bits of the hash, and the index + 1; 0 is free.
	slots []uint64
	mask  uint64
}

func newTable() *table {
	const first = 1 << 14
	return &table{slots: make([]uint64, first), mask: first - 1}
}

func (t *table) at(i int) *node { return &t.chunks[i>>chunkBits][i&(chunkSize-1)] }

// find returns a state's index, -1 if it is not there.
func (t *table) find(k *key) int {
	h := k.hash()
	for i := h & t.mask; ; i = (i + 1) & t.mask {
		s := t.slots[i]
		if s == 0 {
			return -1
		}
		if s>>32 == h>>32 && t.at(int(uint32(s))-1).key == *k {
			return int(uint32(s)) - 1
		}
	}
}

// warm reads what add is going to read. Called for several states before they
// are added, it lets the processor fetch for all of them at once: a search
// spends most of its time waiting for memory.
func (t *table) warm(batch []successor) (sum uint64) {
	for i := range batch {
		batch[i].slot = t.slots[batch[i].hash&t.mask]
	}
	for i := range batch {
		if s := batch[i].slot; s != 0 && s>>32 == batch[i].hash>>32 {
			n := t.at(int(uint32(s)) - 1)
			sum += n.key[0] + n.key[len(n.key)-1]
		}
	}
	return sum
}

// add returns the index of a state, and whether it is new; h is its key's hash.
func (t *table) add(k *key, h uint64, parent uint32, by action) (int, bool) {
	i := h & t.mask
	for ; t.slots[i] != 0; i = (i + 1) & t.mask {
		s := t.slots[i]
		if s>>32 == h>>32 && t.at(int(uint32(s))-1).key == *k {
			return int(uint32(s)) - 1, false
		}
	}
	if t.n&(chunkSize-1) == 0 {
		t.chunks = append(t.chunks, new([chunkSize]node))
	}
	*t.at(t.n) = node{*k, parent, by}
	t.n++
	t.slots[i] = h&^(1<<32-1) | uint64(t.n)
	if uint64(t.n) > t.mask/4*3 {
		t.grow()
	}
	return t.n - 1, true
}

func (t *table) grow() {
	size := 2 * len(t.slots)
	t.slots, t.mask = make([]uint64, size), uint64(size-1)
	for n := range t.n {
		h := t.at(n).key.hash()
		i := h & t.mask
		for t.slots[i] != 0 {
			i = (i + 1) & t.mask
		}
		t.slots[i] = h&^(1<<32-1) | uint64(n+1)
	}
}

// hash mixes the words by wide multiplication; the constants are bits of π.
func (k *key) hash() uint64 {
	h := fold(k[0]^0x243f6a8885a308d3, k[1]^0x13198a2e03707344)
	h = fold(h^k[2]^0xa4093822299f31d0, k[3]^0x082efa98ec4e6c89)
	return fold(h^k[4]^0x452821e638d01377, k[5]^h^0xbe5466cf34e90c6c)
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
