package gate

import (
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// How often histories are read: at the latest so often, and of what was not there, or
// was in another state, the last time, soon. To read them is to go through the
// connections of the whole host.
const (
	recallEvery = 250 * time.Millisecond
	recallSoon  = 50 * time.Millisecond
)

// memory is what a Sensed was last told of the histories in the kernel. It is of the
// looking goroutine alone.
type memory struct {
	histories map[observe.Key]*observe.History
	asked     map[observe.Key]tcp.State // of which, and in which state they were then
	at        time.Time
}

// remember adds the histories to a snapshot, read anew or as they were lately.
func (s *Sensed) remember(snap *observe.Snapshot) error {
	s.nameDead(snap)
	m := &s.memory
	wanted, fresh := m.wanted(snap)
	if since := time.Since(m.at); len(wanted) > 0 && (since >= recallEvery || fresh && since >= recallSoon) {
		m.at = time.Now()
		if err := s.sensing.Recall(snap); err != nil {
			return err
		}
		m.asked, m.histories = wanted, map[observe.Key]*observe.History{}
		for i := range snap.Sockets {
			if h := snap.Sockets[i].History; h != nil {
				m.histories[snap.Sockets[i].Key()] = h
			}
		}
		return nil
	}
	for i := range snap.Sockets {
		snap.Sockets[i].History = m.histories[snap.Sockets[i].Key()]
	}
	snap.Sensor = s.sensing.Seen()
	return nil
}

// wanted are the sockets that have a history to tell, and whether one of them is
// new, or has changed, since the histories were read.
func (m *memory) wanted(snap *observe.Snapshot) (wanted map[observe.Key]tcp.State, fresh bool) {
	wanted = map[observe.Key]tcp.State{}
	for i := range snap.Sockets {
		x := &snap.Sockets[i]
		if !x.State.HalfClosed() && !x.Dead() {
			continue
		}
		k := x.Key()
		wanted[k] = x.State
		fresh = fresh || m.asked[k] != x.State
	}
	return wanted, fresh
}

// nameDead gives dead descriptors back the remote address that they have lost, as
// the kernel told it when the connection ended.
func (s *Sensed) nameDead(snap *observe.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range snap.Sockets {
		x := &snap.Sockets[i]
		if h := s.ended[x.Key()]; h != nil && x.Dead() && !x.Remote.IsValid() {
			x.Remote = h.Remote
		}
	}
}
