package diagnose

import (
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// multipathClose is how long the kernel waits for the peer of an MPTCP connection
// that its application has closed; then it resets every subflow, with MP_FASTCLOSE.
// No setting changes it (mptcp_close_timeout: TCP_TIMEWAIT_LEN for an orphan).
const multipathClose = 60 * time.Second

// The outlook rules of MPTCP.
var (
	ruleClosedHere = &rule{"the application has closed it: when its close timer ends, the kernel resets it and the peer", nil}
	rulePeerResets = &rule{"MPTCP: the peer has closed it, and its kernel resets it when its close timer ends; the descriptor stays", nil}
	ruleMayReset   = &rule{"MPTCP: if the peer has closed it, its kernel resets it within 60 s, and the descriptor stays; if it only shut down its sending side, nothing ends it", nil}
	ruleNoReset    = &rule{"MPTCP: a peer that has closed it resets it within 60 s, and none did: it only shut down its sending side, or the reset was lost", nil}
	rulePeerHolds  = &rule{"MPTCP: the peer still has its socket and only shut down its sending side; it ends when one of the two closes it", nil}
)

// multipathEnding: of its timers only the one that follows a close shows.
func multipathEnding(v *view, s *observe.Socket, d verdict) ending {
	switch {
	case s.State == tcp.CloseWait && !s.Fallback:
		return resetByPeer(v, s, d)
	case s.State == tcp.CloseWait:
		if peer := peerOf(v, s); peer.known && !peer.holds {
			return ending{kind: OnWrite, rule: ruleWriteResets, likely: true}
		}
	case orphan(s) && s.Timer.Kind == observe.TimerKeepalive:
		return ending{kind: At, after: s.Timer.Expires.Duration(), rule: ruleClosedHere}
	case orphan(s):
		return ending{kind: By, after: multipathClose, rule: ruleClosedHere, likely: true}
	case s.State == tcp.FinWait2:
		return ending{kind: Never, rule: ruleHalfOpen, likely: true}
	}
	return ending{kind: Never, rule: ruleUnseen, likely: true}
}

// resetByPeer: what the peer's close leads to.
func resetByPeer(v *view, s *observe.Socket, d verdict) ending {
	switch p := v.peerOnHost(s); {
	case p != nil && orphan(p):
		e := multipathEnding(v, p, verdict{})
		e.rule = rulePeerResets
		return e
	case p != nil:
		return ending{kind: Never, rule: rulePeerHolds, likely: true}
	}
	if left := multipathClose - d.age.best(); left > 0 {
		return ending{kind: By, after: left, rule: ruleMayReset, likely: true}
	}
	return ending{kind: Never, rule: ruleNoReset, likely: true}
}
