//go:build linux

package sensor

import (
	"errors"
	"testing"
)

// Who reads a sensor is told everything also when somebody stops it, or starts
// another; it is gone once nobody has it.
func TestAReaderKeepsASensorThatIsStopped(t *testing.T) {
	dir := place(t)
	before := traces(t)
	must(t, Start(dir))
	t.Run("readers", func(t *testing.T) {
		s, late := open(t, dir), open(t, dir)
		heard := hear(t, s, EventOptions{})
		if s.Stopped() {
			t.Error("stopped already")
		}
		must(t, Stop(dir))
		if _, err := Open(dir); !errors.Is(err, ErrNotRunning) {
			t.Errorf("open after stop: %v", err)
		}
		must(t, Start(dir))
		other := open(t, dir)
		if !s.Stopped() || other.Stopped() {
			t.Errorf("stopped: %v, the other: %v", s.Stopped(), other.Stopped())
		}
		// A second reader of the one that is stopped gets a place of its own.
		second := hear(t, late, EventOptions{})
		client, peer := pair(t)
		finish(t, client, peer, false)
		for name, x := range map[string]*Sensor{"it": s, "the other": other} {
			if h := history(t, x, client); h.HalfClosed == 0 || !h.Outbound {
				t.Errorf("%s says %+v", name, h)
			}
		}
		id := cookie(t, client)
		must(t, client.Close())
		heard.one(t, KindEnded, of(id))
		second.one(t, KindEnded, of(id))
	})
	must(t, Stop(dir))
	gone(t, before)
}

// Who counts the readers keeps nobody from becoming one.
func TestCountingReadersTakesNoPlace(t *testing.T) {
	dir := place(t)
	must(t, Start(dir))
	s := open(t, dir)
	done := make(chan struct{})
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		for {
			select {
			case <-done:
				return
			default:
				Readers(dir)
			}
		}
	}()
	for range 2000 {
		_, leave, err := s.enter()
		if err != nil {
			t.Error(err)
			break
		}
		leave()
	}
	close(done)
	<-counted
}
