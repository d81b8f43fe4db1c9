package collect

import "math/bits"

// index finds sockets by their cookies, of which none is 0. It is a hash table
// with open addressing and no deletion: for a hundred thousand sockets a map
// takes four times as long to fill and to ask, and that is a tenth of a look.
// The zero index is empty.
type index struct {
	slots []slot // a power of two of them, at most three quarters in use
	shift uint8  // 64 minus the logarithm of that
	n     int
}

type slot struct {
	cookie uint64 // 0: free
	at     int32
}

// runLog is the logarithm of how many consecutive cookies stay together.
const runLog = 5

// smallIndex is the logarithm of the first size.
const smallIndex = 8

// slot returns the place of a cookie: where it is, or where it would be. There
// must be slots.
func (x *index) slot(cookie uint64) *slot {
	// The kernel counts cookies up, and the sockets of one program come much in
	// that order. So neighbours stay neighbours, in the processor's cache too;
	// Fibonacci hashing spreads the runs.
	i := cookie>>runLog*0x9e3779b97f4a7c15>>x.shift&^(1<<runLog-1) | cookie&(1<<runLog-1)
	for {
		s := &x.slots[i&uint64(len(x.slots)-1)]
		if s.cookie == cookie || s.cookie == 0 {
			return s
		}
		i++
	}
}

func (x *index) find(cookie uint64) (at int32, ok bool) {
	if x.n == 0 {
		return 0, false
	}
	s := x.slot(cookie)
	return s.at, s.cookie != 0
}

func (x *index) has(cookie uint64) bool {
	_, ok := x.find(cookie)
	return ok
}

// put enters a cookie, or returns where it stood before.
func (x *index) put(cookie uint64, at int32) (was int32, ok bool) {
	if x.n >= len(x.slots)/4*3 {
		x.grow()
	}
	s := x.slot(cookie)
	if s.cookie != 0 {
		return s.at, true
	}
	*s = slot{cookie, at}
	x.n++
	return at, false
}

// reserve makes an empty index large enough for n cookies.
func (x *index) reserve(n int) {
	log := max(smallIndex, bits.Len(uint(n)*4/3))
	x.resize(uint8(log))
}

// resize makes 2^log free slots.
func (x *index) resize(log uint8) {
	x.slots, x.shift = make([]slot, 1<<log), 64-log
	// Where a page is read before it is written the kernel maps it twice, the
	// second time with an interrupt to the other processors. So write first.
	clear(x.slots)
}

func (x *index) grow() {
	old := x.slots
	if len(old) == 0 {
		x.reserve(0)
		return
	}
	x.resize(64 - x.shift + 1)
	for _, s := range old {
		if s.cookie != 0 {
			*x.slot(s.cookie) = s
		}
	}
}
