package misbehave

import "time"

// grow adds a connection at each tick until the program stops, has its maximum,
// or can not have one more.
func (c *cast) grow() {
	defer close(c.growDone)
	ticker := time.NewTicker(c.spec.Growth)
	defer ticker.Stop()
	for {
		select {
		case <-c.ended:
			return
		case <-ticker.C:
		}
		if more, err := c.growOne(); err != nil || !more {
			return
		}
	}
}

func (c *cast) growOne() (more bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped || c.spec.Max > 0 && c.next >= c.spec.Max {
		return false, nil
	}
	w := c.next % len(c.workers)
	c.growErr = c.scene(w, 1)
	return true, c.growErr
}
