package collect

import (
	"errors"
	"fmt"
	"slices"

	"github.com/closewait/closewait/internal/kernel/sensor"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// sense adds what the sensor remembers of the sockets that were seen, if one runs.
func (s *survey) sense(o Options) {
	if s.states[tcp.CloseWait]+s.states[tcp.FinWait1]+s.states[tcp.FinWait2]+s.states[tcp.Closed] == 0 {
		return
	}
	x := o.Sensing
	if x == nil {
		var err error
		x, err = openPinned(o)
		if errors.Is(err, sensor.ErrNotRunning) {
			return
		}
		if err != nil {
			s.limits.add(observe.LimitSensor, 0, "a sensor may run, and its history could not be read: "+err.Error())
			return
		}
		defer x.Close()
	}
	err := x.recall(func(cookie uint64) *observe.Socket {
		i, ok := s.byCookie.find(cookie)
		if !ok {
			return nil
		}
		return &s.sockets[i]
	})
	if err != nil {
		s.limits.add(observe.LimitSensor, 0, "the sensor's history could not be read to its end: "+err.Error())
	}
	for _, text := range x.losses() {
		s.limits.add(observe.LimitSensor, 0, text)
	}
	s.sensor = x.Seen()
}

// Recall adds to a snapshot what the sensor remembers of its sockets.
func (x *Sensing) Recall(snap *observe.Snapshot) error {
	at := make(map[uint64]*observe.Socket, len(snap.Sockets))
	for i := range snap.Sockets {
		at[snap.Sockets[i].Cookie] = &snap.Sockets[i]
	}
	err := x.recall(func(cookie uint64) *observe.Socket { return at[cookie] })
	snap.Sensor = x.Seen()
	return err
}

// recall adds histories to the half-closed and dead ones of the sockets that find
// returns.
func (x *Sensing) recall(find func(cookie uint64) *observe.Socket) error {
	x.mu.Lock()
	clear(x.left)
	clear(x.listed)
	x.spent = 0
	x.mu.Unlock()
	return x.sensor.History(func(r *sensor.Record) error {
		s := find(r.Cookie)
		if s == nil || s.NetNS != uint64(r.NetNS) || s.MPTCP {
			return nil
		}
		if s.State.HalfClosed() || s.State == tcp.Closed {
			h := x.plain(&r.History)
			h.OpenedBy, h.ReadBy, h.ZeroBy = x.stack(r.OpenerStack), x.stack(r.ReaderStack), x.stack(r.ZeroStack)
			s.History = &h
		}
		return nil
	})
}

// Seen is what a snapshot says of the sensor.
func (x *Sensing) Seen() *observe.Sensor {
	x.mu.Lock()
	defer x.mu.Unlock()
	return &observe.Sensor{Since: x.since, Blind: x.blind, Stacks: slices.Clone(x.kept)}
}

// losses say what the sensor or we could not keep, a sentence each.
func (x *Sensing) losses() (lost []string) {
	if st, err := x.sensor.Status(); err == nil && st.LostHistories > 0 {
		lost = append(lost, fmt.Sprintf(
			"the sensor had no memory for the histories of %d connections: what is known of them is what sock_diag tells", st.LostHistories))
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := len(x.left); n > 0 {
		lost = append(lost, fmt.Sprintf(
			"of the code that opened and read these connections %d places were named, %d were not: they were too many, or took too long", len(x.kept), n))
	}
	return lost
}

// plain is a history without its stacks.
func (x *Sensing) plain(h *sensor.History) observe.History {
	return observe.History{
		Opened: x.at(h.Opened), Outbound: h.Outbound, Inbound: h.Inbound, Older: h.Older,
		HalfClosed: x.at(h.HalfClosed), FINReceived: h.FINReceived,
		Zero: x.at(h.Zero), Zeros: int(h.Zeros), Peeked: h.Peeked, Ended: x.at(h.Ended), End: endWord[h.End],
	}
}

var endWord = map[sensor.End]observe.End{
	sensor.EndClosed: observe.EndClosed, sensor.EndExited: observe.EndExited, sensor.EndReset: observe.EndReset,
	sensor.EndKeepAlive: observe.EndKeepalive, sensor.EndRetransmitted: observe.EndRetransmitted,
	sensor.EndDestroyed: observe.EndDestroyed, sensor.EndListener: observe.EndListener,
	sensor.EndPeer: observe.EndPeer, sensor.EndOther: observe.EndOther,
}
