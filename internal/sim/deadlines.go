package sim

import "github.com/closewait/closewait/model"

// deadlines is a heap of sockets, the earliest deadline first; among equals the
// older socket, so that a run always goes the same way.
type deadlines struct{ heap []*socket }

func (d *deadlines) next() (model.Time, bool) {
	if len(d.heap) == 0 {
		return 0, false
	}
	return d.heap[0].due, true
}

// set moves a socket to its deadline; on is false when it has none.
func (d *deadlines) set(s *socket, at model.Time, on bool) {
	switch {
	case !on && s.place >= 0:
		d.remove(s)
	case !on:
	case s.place < 0:
		s.due, s.place = at, len(d.heap)
		d.heap = append(d.heap, s)
		d.up(s.place)
	case s.due != at:
		s.due = at
		d.up(s.place)
		d.down(s.place)
	}
}

func (d *deadlines) remove(s *socket) {
	i, last := s.place, len(d.heap)-1
	d.swap(i, last)
	d.heap[last] = nil
	d.heap = d.heap[:last]
	s.place = -1
	if i < last {
		d.up(i)
		d.down(i)
	}
}

func (d *deadlines) less(i, j int) bool {
	a, b := d.heap[i], d.heap[j]
	return a.due < b.due || a.due == b.due && a.id < b.id
}

func (d *deadlines) swap(i, j int) {
	d.heap[i], d.heap[j] = d.heap[j], d.heap[i]
	d.heap[i].place, d.heap[j].place = i, j
}

func (d *deadlines) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !d.less(i, parent) {
			return
		}
		d.swap(i, parent)
		i = parent
	}
}

func (d *deadlines) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(d.heap) {
			return
		}
		if child+1 < len(d.heap) && d.less(child+1, child) {
			child++
		}
		if !d.less(child, i) {
			return
		}
		d.swap(i, child)
		i = child
	}
}
