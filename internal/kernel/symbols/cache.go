package symbols

import "container/list"

// key names an address for good: of a file by its build id (or, without one, by
// what tells two files apart), of a perf map by the state it was in.
type key struct {
	of   string
	addr uint64
}

// cache keeps the answers that were used last, up to a number of bytes.
type cache struct {
	limit, size int
	order       list.List // of *entry, the latest first
	entries     map[key]*list.Element
}

type entry struct {
	key    key
	frames []Frame
	size   int
}

func newCache(limit int) *cache { return &cache{limit: limit, entries: map[key]*list.Element{}} }

func (c *cache) get(k key) ([]Frame, bool) {
	e, ok := c.entries[k]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*entry).frames, true
}

// put keeps frames, which nobody changes from then on.
func (c *cache) put(k key, frames []Frame) {
	if old, ok := c.entries[k]; ok {
		c.drop(old)
	}
	size := 256 + len(k.of) // the entry, its element and its place in the map
	for _, f := range frames {
		size += 160 + len(f.Function) + len(f.File)
	}
	c.entries[k] = c.order.PushFront(&entry{k, frames, size})
	c.size += size
	for c.size > c.limit && c.order.Len() > 0 {
		c.drop(c.order.Back())
	}
}

func (c *cache) drop(e *list.Element) {
	old := c.order.Remove(e).(*entry)
	delete(c.entries, old.key)
	c.size -= old.size
}
