package diagnose

import (
	"cmp"
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

// before orders ages, the younger first; a total order.
func (a age) before(b age) bool {
	return cmp.Or(cmp.Compare(a.best(), b.best()), cmp.Compare(a.most, b.most), cmp.Compare(a.least, b.least)) < 0
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

// ageOf brackets the age of s, or knows it from the sensor: of the peer's FIN where the state has one, else
// of the local FIN, else (a dead descriptor) of the end.
func ageOf(v *view, s, before *observe.Socket) age {
	if a, ok := exactAge(v, s); ok {
		return a
	}
	a := oneLookAge(v, s)
	if before == nil || before.State != s.State {
		return v.becameSince(before, s, a)
	}
	// It was already so at the first look: it has aged by the interval since.
	if least := oneLookAge(v, before).least + v.interval; least > a.least {
		a.least = least
	}
	if a.bounded && a.most < a.least {
		a.most = a.least // rounding of two clocks
	}
	return a
}

// exactAge is what the sensor saw.
func exactAge(v *view, s *observe.Socket) (age, bool) {
	h := s.History
	if h == nil {
		return age{}, false
	}
	var since time.Time
	switch s.State {
	case tcp.CloseWait:
		if h.FINReceived {
			since = h.HalfClosed
		}
	case tcp.FinWait1, tcp.FinWait2:
		if !h.FINReceived {
			since = h.HalfClosed
		}
	case tcp.Closed:
		since = h.Ended
	}
	if since.IsZero() {
		return age{}, false
	}
	exact := max(0, v.now.Sub(since)) // it may have come during the look
	return age{least: exact, most: exact, bounded: true}, true
}

// becameSince: what was otherwise at the first look has become so since then.
// Nothing else tells a young socket from an old one that keepalive refreshes.
func (v *view) becameSince(before, s *observe.Socket, a age) age {
	switch {
	case v.prev == nil, s.Cookie == 0, v.cur.Reader != v.prev.Reader, torn(v.prev), !v.entered[s.NetNS]:
		return a
	case before == nil && s.State == tcp.Closed: // dead descriptors are not always looked for
		return a
	}
	took := time.Duration(min(max(v.cur.TookMS, 0), float64(time.Hour/time.Millisecond)) * float64(time.Millisecond))
	if since := v.interval + took; !a.bounded || since < a.most {
		a.most, a.bounded = max(since, a.least), true
	}
	return a
}

func oneLookAge(v *view, s *observe.Socket) age {
	if s.Info == nil {
		return age{}
	}
	var (
		sent = s.Info.LastDataSent.Duration()
		recv = s.Info.LastDataRecv.Duration()
		ack  = s.Info.LastAckRecv.Duration()
	)
	switch s.State {
	case tcp.CloseWait:
		// A FIN carries an ACK, so it moved last_ack_recv; a bare FIN does not
		// touch last_data_recv (net/ipv4/tcp_input.c).
		a := bracket(ack, recv)
		a.refreshed = s.Timer.Kind == observe.TimerProbe || (s.Timer.Kind == observe.TimerKeepalive || keepsAlive(s)) && maybeProbed(s, limitsOf(v, s))
		return a
	case tcp.FinWait2:
		// The ACK of our FIN came at or before the last ACK; the FIN left after the
		// last data.
		a := bracket(ack, sent)
		a.refreshed = s.Timer.Kind == observe.TimerKeepalive || recv < sent
		return a
	case tcp.FinWait1, tcp.LastAck, tcp.Closing:
		// Nothing was ACKed since the last ACK, and retransmissions count as data.
		a := bracket(0, max(ack, sent))
		if s.SendQ > 1 { // data is before the FIN: it may have waited for longer
			a.refreshed = s.Timer.Kind == observe.TimerProbe || s.Timer.Retries > 0
			return a
		}
		a.least = unansweredFor(s, limitsOf(v, s))
		a.most = max(a.most, a.least)
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

// maybeProbed reports whether the last ACK may be the answer to a keepalive probe, and
// not the FIN's. A probe goes out when nothing came for the idle time, and the timer then
// runs for the interval; it is set for the idle time after the last ACK where it fires
// and something has come (tcp_keepalive_timer). Nothing else that the timer shows fits.
func maybeProbed(s *observe.Socket, l limits) bool {
	sinceData, sinceACK, left := s.Info.LastDataRecv.Duration(), s.Info.LastAckRecv.Duration(), s.Timer.Expires.Duration()
	switch {
	case s.Timer.Kind != observe.TimerKeepalive:
		return true // hidden by another timer
	case left > sinceData, l.own && sinceData < l.keepIdle:
		return false // the first probe is yet to come
	case !l.own || s.Timer.Retries > 0:
		return true
	}
	set := left + sinceACK
	return near(set, l.keepIntvl) || near(set, l.keepIdle)
}

// near leaves room for a round trip.
func near(d, want time.Duration) bool { return d > want-time.Second && d < want+time.Second }

func keepsAlive(s *observe.Socket) bool { return s.Options != nil && s.Options.KeepAlive }

// unansweredFor is for how long at least retransmissions or probes have gone
// unanswered, reckoned back from the timer's back-off: the present wait has
// been running for RTO − expires, and each wait before it was half as long.
// Where they reached the longest wait, the first ones were as short as can be.
func unansweredFor(s *observe.Socket, l limits) time.Duration {
	if s.Options != nil && s.Options.RetransSince > 0 {
		return s.Options.RetransSince.Duration()
	}
	if s.Timer.Kind != observe.TimerRetransmit && s.Timer.Kind != observe.TimerProbe || s.Info.Backoff == 0 {
		return 0
	}
	wait, first := s.Info.RTO.Duration(), l.rtoMin
	if s.Timer.Kind == observe.TimerProbe { // icsk_rto does not include the back-off of probes
		first = wait
		wait = backedOff(wait, s.Info.Backoff, l.rtoMax)
	}
	total := max(0, wait-s.Timer.Expires.Duration())
	for i := s.Info.Backoff - 1; i >= 1; i-- {
		wait = max(wait/2, backedOff(first, i, l.rtoMax))
		total += wait
	}
	return total
}

// backedOff is inet_csk_rto_backoff (include/net/inet_connection_sock.h).
func backedOff(rto time.Duration, backoff uint8, rtoMax time.Duration) time.Duration {
	for range backoff {
		if rto >= rtoMax {
			break
		}
		rto *= 2
	}
	return min(rto, rtoMax)
}
