package explore

// index maps non-zero numbers to numbers: an open-addressing table, for what
// the search asks at every transition.
type index struct {
	slots []indexSlot
	n     int
}

type indexSlot struct {
	key   uint64
	value uint32
}

func newIndex() index { return index{slots: make([]indexSlot, 1<<10)} }

func (x *index) slot(k uint64) *indexSlot {
	mask := uint64(len(x.slots) - 1)
	for i := fold(k, 0x9e3779b97f4a7c15) & mask; ; i = (i + 1) & mask {
		if s := &x.slots[i]; s.key == k || s.key == 0 {
			return s
		}
	}
}

// get returns a key's value, 0 if it has none.
func (x *index) get(k uint64) uint32 { return x.slot(k).value }

func (x *index) put(k uint64, v uint32) {
	if x.n >= len(x.slots)/2 {
		old := x.slots
		x.slots = make([]indexSlot, 2*len(old))
		for _, s := range old {
			if s.key != 0 {
				*x.slot(s.key) = s
			}
		}
	}
	*x.slot(k) = indexSlot{k, v}
	x.n++
}
