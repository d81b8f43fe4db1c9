package sensor

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Pause detaches this process's own sensor until Resume, so that what it costs can be
// measured. What happens meanwhile is not seen: a history that was begun before
// may be wrong after.
func (s *Sensor) Pause() error { return s.set.detach() }

// Resume ends a Pause. Connections that began before it count as older.
func (s *Sensor) Resume() error {
	if err := s.set.attach(); err != nil {
		return err
	}
	var c traceControl
	if err := s.set.maps[traceMapControl].Lookup(uint32(0), &c); err != nil {
		return fmt.Errorf("resume the sensor: %w", err)
	}
	c.AttachedUs = clock(unix.CLOCK_MONOTONIC)
	return s.set.maps[traceMapControl].Put(uint32(0), &c)
}
