package diagnose

import (
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// ending is one socket's outlook: what the kernel will do if nobody helps.
type ending struct {
	kind   Ending
	after  time.Duration // from the look; meaningless for never and on-write
	rule   *rule
	likely bool // hangs on something that was not seen
}

// within reports whether the kernel ends it in at most d.
func (e ending) within(d time.Duration) bool {
	switch e.kind {
	case At, By, Soon:
		return e.after <= d
	}
	return false
}

// rule is why an outlook holds, and the claims it follows from.
type rule struct {
	why    string
	claims []string
}

// The outlook rules of docs/how-it-decides.md.
var (
	ruleNoTimer     = &rule{"no timer runs and nothing is queued to send: only the application, a RST from the peer or somebody's help can end it", []string{"C14"}}
	ruleWriteResets = &rule{"no timer runs; the peer's socket is closed, so the next write draws a RST, and nothing else will", []string{"C8", "C14"}}
	ruleInQueue     = &rule{"no timer runs: it ends when the listener's program accepts and closes it, or closes the listener", []string{"C14"}}
	ruleInUse       = &rule{"in use: it ends when the application closes it", []string{"C5"}}
	ruleDrains      = &rule{"the application is done with it: it ends when the peer has taken what is left, or takes no more", nil}
	ruleProbeResets = &rule{"the peer's socket is gone, so the next keepalive probe draws a RST; the descriptor stays", []string{"C9"}}
	ruleKeepalive   = &rule{"keepalive runs: it ends it if the peer closed or vanished, but not while a peer that only shut down its sending side answers the probes", []string{"C9"}}
	rulePeerAnswers = &rule{"the peer's socket still exists and answers every keepalive probe", []string{"C9", "C5"}}
	ruleRetransmits = &rule{"unacknowledged data is retransmitted: a RST ends it within one timeout if the peer's socket is gone, else the retransmission limit does", []string{"C12", "C13"}}
	ruleOrphanRetry = &rule{"the application is done with it; the kernel retransmits its FIN until the limit for orphans", []string{"C13"}}
	ruleOwnedRetry  = &rule{"the FIN is retransmitted until the retransmission limit; no RST is sent then", []string{"C13"}}
	ruleZeroWindow  = &rule{"the peer answers the zero-window probes and takes nothing: no limit applies while it does", nil}
	ruleProbesFail  = &rule{"zero-window probes go unanswered: the retransmission limit ends it", []string{"C13"}}
	ruleOrphanProbe = &rule{"the application is done with it; the kernel probes the closed window until the back-off reaches its maximum", nil}
	ruleFinWait2    = &rule{"the kernel drops it silently when its FIN_WAIT_2 timer expires", []string{"C10"}}
	ruleHalfOpen    = &rule{"shutdown without close starts no timer: it ends when the peer closes or the application does", []string{"C5"}}
	ruleDescriptor  = &rule{"the connection is already gone; only the application can close the descriptor", []string{"C8"}}
	ruleUnowned     = &rule{"no timer runs: it ends when whatever holds the descriptor lets it go", []string{"C14"}}
	ruleUnseen      = &rule{"the reader could not see its timers", nil}
)

// endingOf applies the rules to one socket.
func endingOf(v *view, s *observe.Socket, d verdict) ending {
	switch {
	case d.cause == Masked:
		return ending{kind: Never, rule: ruleDescriptor}
	case d.cause == HalfCloseInUse && s.State != tcp.FinWait2 && orphan(s):
		return ending{kind: Soon, rule: ruleDrains, likely: true}
	case d.cause == HalfCloseInUse && s.State != tcp.FinWait2: // whatever timer runs: it is made to by the traffic
		return ending{kind: Never, rule: ruleInUse}
	case s.MPTCP:
		return multipathEnding(v, s, d)
	}
	switch s.State {
	case tcp.FinWait2:
		return finWait2Ending(v, s)
	case tcp.CloseWait:
		return closeWaitEnding(v, s, d)
	}
	return closingEnding(v, s)
}

func closeWaitEnding(v *view, s *observe.Socket, d verdict) ending {
	switch s.Timer.Kind {
	case observe.TimerRetransmit:
		l := limitsOf(v, s)
		return ending{kind: By, after: retransmissionEnd(s, l, true), rule: ruleRetransmits, likely: !l.own}
	case observe.TimerProbe:
		l := limitsOf(v, s)
		if after, ends := probeEnd(s, l, true); ends {
			return ending{kind: By, after: after, rule: ruleProbesFail, likely: !l.own}
		}
		return ending{kind: Never, rule: ruleZeroWindow, likely: s.Timer.Retries > 0}
	case observe.TimerKeepalive:
		return keepaliveEnding(s, limitsOf(v, s), peerOf(v, s), d.age)
	case observe.TimerNone:
		if e, firing := firingEnding(v, s, d); firing {
			return e
		}
	}
	switch d.cause {
	case NeverAccepted:
		return ending{kind: Never, rule: ruleInQueue}
	case Ownerless:
		return ending{kind: Never, rule: ruleUnowned}
	}
	if peer := peerOf(v, s); peer.known && !peer.holds {
		return ending{kind: OnWrite, rule: ruleWriteResets}
	}
	return ending{kind: Never, rule: ruleNoTimer}
}

// firingEnding: while a timer's handler runs, the kernel shows no timer. That one
// must run is told by what it is for.
func firingEnding(v *view, s *observe.Socket, d verdict) (e ending, firing bool) {
	switch l := limitsOf(v, s); {
	case s.SendQ > 0:
		e = ending{kind: By, after: retransmissionEnd(s, l, true), rule: ruleRetransmits}
	case keepsAlive(s):
		e = keepaliveEnding(s, l, peerOf(v, s), d.age)
	default:
		return ending{}, false
	}
	e.likely = true
	return e, true
}

// keepaliveEnding: the next probe comes when the timer expires. What it meets
// depends on the peer, which only a connection within this host shows.
func keepaliveEnding(s *observe.Socket, l limits, peer peer, a age) ending {
	next := s.Timer.Expires.Duration()
	// One probe is always on its way; with two unanswered, whatever the peer holds
	// it is not reached any more.
	if peer.known && (!peer.holds || s.Timer.Retries < 2) {
		if peer.holds {
			return ending{kind: Never, rule: rulePeerAnswers}
		}
		if peer.lingers == 0 {
			return ending{kind: At, after: next, rule: ruleProbeResets, likely: !l.own}
		}
		return ending{kind: At, after: firstProbeAfter(next, peer.lingers, l.keepIdle), rule: ruleProbeResets, likely: !l.own}
	}
	// Gone without a trace: its probes stay unanswered. Closed: its FIN_WAIT_2
	// (taken to last as long as ours would) ends first, then a probe draws a RST.
	closed := firstProbeAfter(next, l.finTimeout-a.least, l.keepIdle)
	return ending{kind: By, after: max(next+probesFail(s, l), closed), rule: ruleKeepalive, likely: true}
}

// firstProbeAfter is when the first keepalive probe goes out that meets no
// FIN_WAIT_2 any more: those before are ACKed, and the next is idle away.
func firstProbeAfter(next, lingers, idle time.Duration) time.Duration {
	if next < lingers {
		idle = max(idle, time.Second)
		next += (lingers - next + idle - 1) / idle * idle
	}
	return next
}

// probesFail is how long after the next firing of the keepalive timer the kernel
// gives up on a silent peer: when all probes are out, or, where TCP_USER_TIMEOUT
// is set, when it has passed since the peer was heard (tcp_keepalive_timer).
func probesFail(s *observe.Socket, l limits) time.Duration {
	sent := int(s.Timer.Retries)
	if l.userTimeout == 0 || s.Info == nil {
		return time.Duration(max(l.keepCnt-sent, 0)) * l.keepIntvl
	}
	left := l.userTimeout - s.Info.LastAckRecv.Duration() - s.Timer.Expires.Duration()
	if left <= 0 && sent > 0 {
		return 0
	}
	intvl := max(l.keepIntvl, time.Second)
	return max((left+intvl-1)/intvl, 1) * intvl
}

func finWait2Ending(v *view, s *observe.Socket) ending {
	tmo := finWait2Life(v, s)
	switch {
	case s.Timer.Kind == observe.TimerTimeWait:
		return ending{kind: At, after: s.Timer.Expires.Duration(), rule: ruleFinWait2}
	case orphan(s) && s.Timer.Kind == observe.TimerKeepalive:
		// Longer than 60 s: this timer, then a mini-socket for the rest (tcp_fin_time).
		return ending{kind: By, after: s.Timer.Expires.Duration() + max(0, tmo-60*time.Second), rule: ruleFinWait2}
	case orphan(s):
		return ending{kind: By, after: tmo, rule: ruleFinWait2, likely: true}
	case s.Timer.Kind == observe.TimerKeepalive:
		return ending{kind: Never, rule: rulePeerAnswers, likely: true}
	}
	return ending{kind: Never, rule: ruleHalfOpen}
}

// finWait2Life is tcp_fin_time (include/net/tcp.h): how long an orphan stays in
// FIN_WAIT_2.
func finWait2Life(v *view, s *observe.Socket) time.Duration {
	tmo := limitsOf(v, s).finTimeout
	if s.Options != nil && s.Options.Linger2MS > 0 {
		tmo = time.Duration(s.Options.Linger2MS) * time.Millisecond
	}
	if s.Info != nil {
		tmo = max(tmo, s.Info.RTO.Duration()*7/2)
	}
	return tmo
}

func closingEnding(v *view, s *observe.Socket) ending {
	l, owned := limitsOf(v, s), !orphan(s)
	if s.Timer.Kind == observe.TimerProbe {
		after, ends := probeEnd(s, l, owned)
		switch {
		case !ends:
			return ending{kind: Never, rule: ruleZeroWindow, likely: s.Timer.Retries > 0}
		case owned:
			return ending{kind: By, after: after, rule: ruleProbesFail, likely: !l.own}
		}
		return ending{kind: By, after: after, rule: ruleOrphanProbe}
	}
	if s.Timer.Kind == observe.TimerNone { // an ACK or a retransmission is just happening
		return ending{kind: Soon, rule: ruleOwnedRetry, likely: true}
	}
	r := ruleOrphanRetry
	if owned {
		r = ruleOwnedRetry
	}
	return ending{kind: By, after: retransmissionEnd(s, l, owned), rule: r, likely: owned && !l.own}
}

// peer is what this host knows of the other end, which is something only when
// the other end is on this host too.
type peer struct {
	known   bool
	holds   bool          // its application still has the socket
	lingers time.Duration // an orphan's FIN_WAIT_2 time left
}

func peerOf(v *view, s *observe.Socket) peer {
	if p := v.peerOnHost(s); p != nil {
		if orphan(p) {
			return peer{known: true, lingers: finWait2Ending(v, p).after}
		}
		return peer{known: true, holds: true}
	}
	// A loopback peer that is in no table of this namespace has gone: every
	// half-closed socket of an entered namespace is in the snapshot.
	if n := v.namespaces[s.NetNS]; s.Remote.Addr().Unmap().IsLoopback() && n != nil && n.Entered && !v.torn {
		return peer{known: true}
	}
	return peer{}
}

// peerOnHost is the FIN_WAIT_2 end of the connection, if it is on this host.
func (v *view) peerOnHost(s *observe.Socket) *observe.Socket {
	if len(v.finWait2) == 0 {
		return nil
	}
	return v.finWait2[flowKeyOf(s)]
}

func torn(look *observe.Snapshot) bool {
	for _, l := range look.Limits {
		if l.Code == observe.LimitTorn {
			return true
		}
	}
	return false
}
