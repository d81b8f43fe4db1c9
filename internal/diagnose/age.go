package diagnose

import (
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// age brackets how long a socket has been half-closed. No clock of the kernel's
// records the FIN; these bounds follow from what it does record.
type age struct {
	least, most time.Duration
	bounded     bool // most is known
	// refreshed: something (a keepalive's answer, an ACKed probe) moves the lower
	// bound, so the socket looks younger than it is.
	refreshed bool
}

// best is the single figure to sort and count by.
func (a age) best() time.Duration {
	if a.refreshed && a.bounded {
		return a.most
	}
	return a.least
}

// public converts a to the report's form.
func (a age) public() Age {
	out := Age{AtLeastS: roundSeconds(a.least)}
	if a.bounded {
		most := roundSeconds(a.most)
		out.AtMostS = &most
	}
	return out
}

func roundSeconds(d time.Duration) float64 {
	return float64(d.Round(time.Millisecond)/time.Millisecond) / 1000
}

// ageOf brackets the age of s: of the peer's FIN where the state has one, else
// of the local FIN, else (a dead descriptor) of the end.
func ageOf(v *view, s *observe.Socket) age {
	a := oneLookAge(s)
	before := v.earlier(s)
	if before == nil || before.State != s.State {
		return a
	}
	// It was already so at the first look: it has aged by the interval since.
	if least := oneLookAge(before).least + v.interval; least > a.least {
		a.least = least
	}
	if a.bounded && a.most < a.least {
		a.most = a.least // rounding of two clocks
	}
	return a
}

func oneLookAge(s *observe.Socket) age {
	if s.Info == nil {
		return age{}
	}
	var (
		sent = s.Info.LastDataSent.Duration()
		recv = s.Info.LastDataRecv.Duration()
		ack  = s.Info.LastAckRecv.Duration()
		idle = unansweredFor(s)
	)
	switch s.State {
	case tcp.CloseWait:
		// A FIN carries an ACK, so it moved last_ack_recv; a bare FIN does not
		// touch last_data_recv (net/ipv4/tcp_input.c).
		a := bracket(max(ack, idle), recv)
		a.refreshed = s.Timer.Kind == observe.TimerKeepalive || s.Timer.Kind == observe.TimerProbe || keepsAlive(s)
		return a
	case tcp.FinWait2:
		// The ACK of our FIN came at or before the last ACK; the FIN left after the
		// last data.
		a := bracket(ack, sent)
		a.refreshed = s.Timer.Kind == observe.TimerKeepalive || recv < sent
		return a
	case tcp.FinWait1, tcp.LastAck, tcp.Closing:
		// Nothing was ACKed since the last ACK, and retransmissions count as data.
		a := bracket(idle, max(ack, sent))
		a.refreshed = s.Timer.Kind == observe.TimerProbe
		return a
	case tcp.Closed:
		// A RST moves none of the three: it came after the last ACK.
		return age{most: ack, bounded: true, refreshed: true}
	}
	return age{}
}

func bracket(least, most time.Duration) age {
	if most < least {
		most = least
	}
	return age{least: least, most: most, bounded: true}
}

func keepsAlive(s *observe.Socket) bool { return s.Options != nil && s.Options.KeepAlive }

// unansweredFor is for how long at least retransmissions or probes have gone
// unanswered, reckoned back from the timer's back-off: the present wait has
// been running for RTO − expires, and each wait before it was half as long.
func unansweredFor(s *observe.Socket) time.Duration {
	if s.Options != nil && s.Options.RetransSince > 0 {
		return s.Options.RetransSince.Duration()
	}
	if s.Timer.Kind != observe.TimerRetransmit && s.Timer.Kind != observe.TimerProbe || s.Info.Backoff == 0 {
		return 0
	}
	wait := s.Info.RTO.Duration()
	if s.Timer.Kind == observe.TimerProbe { // icsk_rto does not include the back-off of probes
		wait <<= min(s.Info.Backoff, 10)
	}
	total := max(0, wait-s.Timer.Expires.Duration())
	for i := uint8(1); i < min(s.Info.Backoff, 16); i++ {
		wait /= 2
		total += wait
	}
	return total
}
