package remedy

import (
	"fmt"
	"time"
)

// whenOf says when a degree takes effect on a candidate.
func whenOf(d Degree, c *candidate) string {
	switch d {
	case KeepAlive:
		p := c.options.Probes
		switch c.peer {
		case gone:
			return "within a moment of the first probe, which leaves at once if it has been silent for " + span(time.Duration(p.Idle))
		case leaving:
			return "at the first probe (one each " + span(time.Duration(p.Idle)) + ") after the peer's FIN_WAIT_2 has run out, 60 s by default"
		}
		return fmt.Sprintf("a probe leaves at once, then each %s. Closed peer: as soon as its FIN_WAIT_2 has run out (60 s on Linux). "+
			"Vanished peer: %s after the first probe. Not while the peer answers", span(time.Duration(p.Idle)), span(p.givesUp()))
	case Shutdown:
		if c.seen.SendQ > 0 {
			return "the FIN waits behind the data; whoever writes or polls wakes up at once"
		}
		return "as soon as the peer acknowledges the FIN; if it is gone, its RST ends it"
	case Destroy:
		return "at once"
	}
	return ""
}

// span formats a length of time in whole units.
func span(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d d %d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	case d >= 10*time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d > 90*time.Second && d%time.Minute != 0:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d > 90*time.Second:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

func seconds(d time.Duration) []byte {
	if d%time.Second == 0 {
		return fmt.Appendf(nil, "%d", d/time.Second)
	}
	return fmt.Appendf(nil, "%g", d.Seconds())
}
