package diagnose

import (
	"math/bits"
	"time"

	"github.com/closewait/closewait/internal/observe"
)

// The kernel's own constants (include/net/tcp.h); rtoMin here is the base of the
// model, which tcp_rto_min_us does not change.
const (
	rtoBase       = 200 * time.Millisecond
	defaultRTOMax = 120 * time.Second
)

// limits is a socket's retransmission and keepalive settings, its own where
// they are known, else its namespace's, else the kernel's defaults.
type limits struct {
	rtoMin, rtoMax      time.Duration
	retries2            int
	orphanRetries       int
	finTimeout          time.Duration
	keepIdle, keepIntvl time.Duration
	keepCnt             int
	userTimeout         time.Duration
	// own is true when the socket's own options were seen, so that nothing is
	// assumed of them.
	own bool
}

func limitsOf(v *view, s *observe.Socket) limits {
	sys := v.sysctl(s.NetNS)
	l := limits{
		rtoMin:        orDuration(sys.RTOMin, rtoBase),
		rtoMax:        orDuration(sys.RTOMax, defaultRTOMax),
		retries2:      orInt(sys.Retries2, 15),
		orphanRetries: sys.OrphanRetries,
		finTimeout:    orDuration(sys.FinTimeout, 60*time.Second),
		keepIdle:      orDuration(sys.KeepaliveTime, 7200*time.Second),
		keepIntvl:     orDuration(sys.KeepaliveIntvl, 75*time.Second),
		keepCnt:       orInt(min(sys.KeepaliveProbes, 255), 9),
	}
	if o := s.Options; o != nil {
		l.own = true
		l.rtoMin = orDuration(o.RTOMin, l.rtoMin)
		l.rtoMax = orDuration(o.RTOMax, l.rtoMax)
		l.keepIdle = orDuration(o.KeepIdle, l.keepIdle)
		l.keepIntvl = orDuration(o.KeepIntvl, l.keepIntvl)
		l.keepCnt = orInt(int(o.KeepCnt), l.keepCnt)
		l.userTimeout = o.UserTimeout.Duration()
	}
	return l
}

func orDuration(m observe.Millis, otherwise time.Duration) time.Duration {
	if m == 0 {
		return otherwise
	}
	return m.Duration()
}

func orInt(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// modelTimeout is tcp_model_timeout (net/ipv4/tcp_timer.c): how long n
// retransmissions with exponential back-off last. 15 of them: 924.6 s.
func modelTimeout(n int, rtoMax time.Duration) time.Duration {
	n = min(max(n, 0), 255)
	thresh := bits.Len64(uint64(max(rtoMax/rtoBase, 1))) - 1 // ilog2
	if n <= thresh {
		return time.Duration((2<<n)-1) * rtoBase
	}
	return time.Duration((2<<thresh)-1)*rtoBase + time.Duration(n-thresh)*rtoMax
}

// retransmissionEnd is how long until the kernel gives up retransmitting,
// counted from the look, if the peer stays silent: the first firing of the
// timer at which the limit has passed since the first one (retransmits_timed_out).
func retransmissionEnd(s *observe.Socket, l limits, owned bool) time.Duration {
	limit := modelTimeout(retriesFor(l, owned), l.rtoMax)
	if l.userTimeout > 0 {
		limit = l.userTimeout
	}
	var rto time.Duration
	if s.Info != nil {
		rto = s.Info.RTO.Duration()
	}
	rto = max(rto, rtoBase)
	elapsed := time.Duration(0) // since the first firing, at the look
	if s.Info != nil && s.Timer.Retries > 0 {
		elapsed = unansweredFor(s, l)
	}
	fires := s.Timer.Expires.Duration()
	if s.Timer.Retries == 0 {
		elapsed = -fires // the first firing is still to come
	}
	for range 256 {
		past := elapsed + fires
		if past >= limit && past > 0 {
			return fires
		}
		if gaveUp := !owned && l.orphanRetries == 0 && rto >= l.rtoMax; gaveUp && past >= modelTimeout(0, l.rtoMax) && l.userTimeout == 0 {
			return fires
		}
		rto = min(2*rto, l.rtoMax)
		next := rto
		if l.userTimeout > 0 { // tcp_clamp_rto_to_user_timeout
			next = max(min(rto, limit-(elapsed+fires)), time.Millisecond)
		}
		fires += next
	}
	return fires
}

// retriesFor is tcp_retries2 for a socket with an owner; for an orphan
// tcp_orphan_retries, where 0 means 8 while the back-off has not reached its
// maximum (tcp_orphan_retries in net/ipv4/tcp_timer.c).
func retriesFor(l limits, owned bool) int {
	if owned {
		return l.retries2
	}
	if l.orphanRetries == 0 {
		return 8
	}
	return l.orphanRetries
}

// probeEnd is how long until the kernel gives up probing a zero window, and
// whether it ever does. TCP_USER_TIMEOUT counts from the first probe, answered
// or not (tcp_probe_timer).
func probeEnd(s *observe.Socket, l limits, owned bool) (time.Duration, bool) {
	after, ends := probesEnd(s, l, owned)
	if l.userTimeout == 0 || s.Info == nil {
		return after, ends
	}
	fires := s.Timer.Expires.Duration()
	limit := fires + l.userTimeout
	if s.Info.Backoff > 0 {
		limit = max(fires, l.userTimeout-unansweredFor(s, l))
	}
	if ends {
		limit = min(limit, after)
	}
	return limit, true
}

// probesEnd is the same by the number of probes: an owned socket's probes end only when retries2 of them
// in a row go unanswered; an orphan's also when their back-off reaches its
// maximum (tcp_probe_timer).
func probesEnd(s *observe.Socket, l limits, owned bool) (time.Duration, bool) {
	unanswered := int(s.Timer.Retries)
	if owned && unanswered < 2 { // one probe is always on its way
		return 0, false
	}
	backoff, rto := 0, rtoBase
	if s.Info != nil {
		backoff, rto = int(s.Info.Backoff), max(s.Info.RTO.Duration(), rtoBase)
	}
	wait := func() time.Duration { return backedOff(rto, uint8(min(backoff, 255)), l.rtoMax) }
	fires := s.Timer.Expires.Duration()
	for range 256 {
		most := l.retries2
		if !owned {
			alive := wait() < l.rtoMax
			most = l.orphanRetries
			if most == 0 && alive {
				most = 8
			}
			if !alive && backoff >= most {
				return fires, true
			}
			if unanswered >= 2 && unanswered >= most {
				return fires, true
			}
		} else if unanswered >= most {
			return fires, true
		}
		if unanswered >= 2 {
			unanswered++
		}
		if backoff < l.retries2 {
			backoff++
		}
		fires += wait()
	}
	return fires, true
}
