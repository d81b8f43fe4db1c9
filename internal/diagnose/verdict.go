package diagnose

import (
	"sync"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// verdict is what was decided about one socket.
type verdict struct {
	cause     Cause // "" for a socket that is no candidate (LISTEN, ESTABLISHED)
	stuck     bool
	certain   bool
	direction Direction
	listener  int32 // index of the LISTEN socket that holds it, never-accepted only; else -1
	program   int32 // index of the owning program, -1 for none
	age       age
	before    *observe.Socket // the same one in the first of two looks; else nil
	ends      ending
}

// farewellLimit is the most bytes that count as a goodbye (a TLS close_notify,
// an HTTP 408) and not as an answer nobody read: causes.md, "Farewell bytes".
const farewellLimit = 512

// closeNotifyLimit is the longest TLS close_notify record: 31 bytes in TLS 1.2,
// 24 in TLS 1.3 (RFC 5246 §7.2.1, RFC 8446 §6.1). A client's request is longer.
const closeNotifyLimit = 31

// sameMoment is how close two of the kernel's times must be to be one event.
const sameMoment = 250 * time.Millisecond

// promptAnswer: data that comes this soon after we sent something answers it; a
// server's idle timeout is longer.
const promptAnswer = 2 * time.Second

// judgeAll decides on every socket of the view, by index.
func judgeAll(v *view) []verdict {
	out := make([]verdict, len(v.cur.Sockets))
	var wg sync.WaitGroup
	for from := 0; from < len(out); from += judgedTogether {
		wg.Go(func() {
			for i := from; i < min(from+judgedTogether, len(out)); i++ {
				out[i] = judge(v, &v.cur.Sockets[i])
			}
		})
	}
	wg.Wait()
	return out
}

// judgedTogether is how many sockets one goroutine judges. A verdict depends on
// no other, and judging only reads the view.
const judgedTogether = 8192

func judge(v *view, s *observe.Socket) verdict {
	d := verdict{listener: -1, program: -1}
	if !s.State.HalfClosed() && !s.Dead() {
		return d
	}
	d.direction = directionOf(v, s)
	d.before = v.earlier(s)
	d.age = ageOf(v, s, d.before)
	d.program = v.programs.ownerOf(s.Holders)
	switch s.State {
	case tcp.CloseWait:
		d.cause, d.certain = closeWaitCause(v, s, &d)
	case tcp.FinWait2:
		d.cause, d.certain = finWait2Cause(v, s, &d)
	case tcp.Closed:
		told := s.History != nil && !s.History.Ended.IsZero()
		d.cause, d.certain = Masked, told || d.before != nil && d.before.State == tcp.Closed
	default:
		d.cause, d.certain = closingCause(v, s)
	}
	d.ends = endingOf(v, s, d)
	d.stuck = isStuck(v, s, &d)
	return d
}

// isStuck: old enough, not in use, and not about to be ended by the kernel. An
// owned CLOSE_WAIT stays its application's problem even if a timer will end
// the connection, because the descriptor stays (C8's correction).
func isStuck(v *view, s *observe.Socket, d *verdict) bool {
	if d.cause == HalfCloseInUse || d.cause == OrphanDraining {
		return false
	}
	if s.State != tcp.CloseWait && s.State != tcp.Closed && d.ends.within(soonEnough(v.grace)) {
		return false
	}
	if d.age.least >= v.grace {
		return true
	}
	if d.age.refreshed && d.age.bounded && d.age.most >= v.grace {
		// "Forever young": only the upper bound speaks, so it is likely, not certain.
		if s.State != tcp.Closed {
			d.certain = false
		}
		return true
	}
	return false
}

// soonEnough is how near an end the kernel itself brings must be for a socket
// not to count as stuck: the default life of an orphan without an answer is
// 102 s (tcp_orphan_retries, kernel-facts), or one time-out more, 204 s, if its
// RTO is 200 ms to the dot: the timer then fires just before the limit.
func soonEnough(grace time.Duration) time.Duration { return max(grace, 210*time.Second) }

// closeWaitCause follows the precedence of causes.md.
func closeWaitCause(v *view, s *observe.Socket, d *verdict) (Cause, bool) {
	if s.Inode == 0 && len(s.Holders) == 0 {
		return withoutFile(v, s, d)
	}
	if len(s.Holders) == 0 && v.ownersSeen && !s.Unsettled {
		return Ownerless, !v.someHidden
	}
	if d.before != nil && d.before.State == s.State && acked(d.before, s) {
		return HalfCloseInUse, true // also where some is on its way
	}
	if blocked(v, s, d) {
		return SendBlocked, true
	}
	if s.MPTCP { // the kernel shows a zero Recv-Q even when the end is unread
		return EOFIgnored, false
	}
	if used, certain := stillSending(v, s, d); used {
		return HalfCloseInUse, certain
	}
	return unreadCause(s, d)
}

// blocked: the peer does not take what is queued. A peer that reads slowly closes its
// window, too, but opens it again: data was then sent after the FIN and within the grace
// period (a probe carries none). Until data is ACKed a retransmission timer
// runs on every busy connection: what was sent within the grace period is merely on its
// way, unless it is sent again and again and no ACK comes.
func blocked(v *view, s *observe.Socket, d *verdict) bool {
	switch {
	case s.SendQ == 0:
		return false
	case s.Info == nil:
		return s.Timer.Kind == observe.TimerProbe || s.Timer.Kind == observe.TimerRetransmit
	case s.Timer.Kind == observe.TimerProbe:
		used, _ := stillSending(v, s, d)
		return !used
	case s.Timer.Kind == observe.TimerRetransmit:
		unheard := s.Timer.Retries > 0 && s.Info.LastAckRecv.Duration() >= v.grace
		return unheard || s.Info.LastDataSent.Duration() >= v.grace
	}
	return false
}

// withoutFile: no descriptor exists. Either it waits in an accept queue or the
// kernel itself holds it.
func withoutFile(v *view, s *observe.Socket, d *verdict) (Cause, bool) {
	waiting, others, fit := int32(-1), 0, 0
	for _, i := range v.listenersFor(s) {
		l := &v.cur.Sockets[i]
		if l.RecvQ == 0 {
			continue
		}
		switch n := fitness(l, s); {
		case n > fit:
			waiting, others, fit = i, 1, n
		case n == fit:
			others++
			if longer(l, &v.cur.Sockets[waiting]) {
				waiting = i
			}
		}
	}
	if waiting < 0 {
		return Ownerless, d.before != nil // in one look it may be on its way out of a queue
	}
	d.listener = waiting
	d.direction = Inbound
	d.program = v.programs.ownerOf(v.cur.Sockets[waiting].Holders)
	return NeverAccepted, others == 1 // several listeners share the port: which one is inference
}

// fitness is which of several listeners the kernel gives a connection to: that of
// the very address before a wildcard, and one of its family before another
// (compute_score in net/ipv4/inet_hashtables.c).
func fitness(l, s *observe.Socket) int {
	switch addr := s.Local.Addr().Unmap(); {
	case !l.Local.Addr().IsUnspecified():
		return 3
	case l.Local.Addr().Is4() == addr.Is4():
		return 2
	}
	return 1
}

// longer orders listeners of one fitness by their queues, in every snapshot alike.
func longer(a, b *observe.Socket) bool {
	if a.RecvQ != b.RecvQ {
		return a.RecvQ > b.RecvQ
	}
	return a.Inode < b.Inode
}

// acked reports whether the peer took data between the two looks.
func acked(before, s *observe.Socket) bool {
	return before.Info != nil && s.Info != nil && s.Info.BytesAcked > before.Info.BytesAcked
}

// movedSince reports whether data moved, either way, between the two looks.
// Retransmissions count as sent: send-blocked is decided before.
func movedSince(before, s *observe.Socket) bool {
	if before.State != s.State || before.Info == nil || s.Info == nil {
		return false
	}
	if s.State == tcp.FinWait2 { // of what had come, or came, something was read
		return s.Info.BytesReceived-before.Info.BytesReceived+uint64(before.RecvQ) > uint64(s.RecvQ)
	}
	// Stepping over the FIN alone (1 to 0) is no use of the connection.
	read := s.RecvQ < before.RecvQ && before.RecvQ > 1
	return s.Info.BytesSent > before.Info.BytesSent || acked(before, s) || read
}

// stillSending reports whether the connection is a simplex one in use (C5): data
// was sent, or ACKed, after the FIN and within the grace period.
func stillSending(v *view, s *observe.Socket, d *verdict) (used, certain bool) {
	if s.Info == nil {
		return false, false
	}
	if d.before != nil && movedSince(d.before, s) {
		return true, true
	}
	sent := s.Info.LastDataSent.Duration()
	if s.Info.BytesSent == 0 || sent >= v.grace {
		return false, false
	}
	// What was sent before the FIN can have come is the request, not an answer.
	if d.age.bounded && sent >= d.age.most {
		return false, false
	}
	certain = sent+sameMoment < d.age.least
	if !certain && !d.age.refreshed { // it may have been sent before the FIN
		if p := peerOf(v, s); p.known && !p.holds {
			return false, false
		}
	}
	return true, certain
}

// unreadCause decides by what waits in the receive queue.
func unreadCause(s *observe.Socket, d *verdict) (Cause, bool) {
	switch s.RecvQ {
	case 0:
		// The last read may have stepped over the FIN together with data, so this
		// does not prove that a read returned zero.
		return EOFIgnored, toldAndKept(s, d)
	case 1:
		return EOFUnread, true
	}
	if s.Info == nil {
		return DataUnread, false
	}
	unread := uint64(s.RecvQ) - 1
	if unread > farewellLimit {
		return DataUnread, hasStopped(s, d)
	}
	farewell := maybeFarewell(s, d, unread)
	if neverRead(s) {
		// What was asked for is the answer; what a client says unasked is a request.
		asked := s.Info.BytesSent > 0 || d.direction == Inbound
		if asked || !farewell {
			return DataUnread, !farewell
		}
	}
	if !farewell {
		return DataUnread, false
	}
	return EOFUnread, false
}

// hasStopped: it never read a byte, or none between two looks. One look at what is left of
// what it began to read can't tell who stopped from who reads slowly.
func hasStopped(s *observe.Socket, d *verdict) bool {
	return d.before != nil && d.before.State == s.State || neverRead(s)
}

// neverRead: all that came is unread; the FIN counts in both.
func neverRead(s *observe.Socket) bool {
	return s.Info != nil && s.Info.BytesReceived <= uint64(s.RecvQ)
}

// toldAndKept: the sensor saw a read return zero, and nobody waits for an answer
// any more. A client may have asked, half-closed, and wait for a slow one: what was
// read and not answered yet is never certain.
func toldAndKept(s *observe.Socket, d *verdict) bool {
	h := s.History
	if h == nil || h.Zero.IsZero() {
		return false
	}
	if d.direction == Outbound {
		return true
	}
	return s.Info != nil && s.Info.BytesSent > 0 && s.Info.LastDataSent < s.Info.LastDataRecv
}

// maybeFarewell: a few unread bytes that came together with the FIN, unasked,
// on a connection that had been idle.
func maybeFarewell(s *observe.Socket, d *verdict, unread uint64) bool {
	if d.direction == Inbound {
		// A client's last words are more often a request that nobody read.
		return unread <= closeNotifyLimit && withFIN(s, d.age)
	}
	unasked := s.Info.BytesSent == 0 ||
		s.Info.LastDataSent.Duration() > s.Info.LastDataRecv.Duration()+promptAnswer
	return unasked && withFIN(s, d.age)
}

// withFIN: the last data and the FIN came in one moment, as far as can be told.
// If keepalives refresh the lower bound it can not, and "likely" says so.
func withFIN(s *observe.Socket, a age) bool {
	return a.refreshed || s.Info.LastDataRecv.Duration()-s.Info.LastAckRecv.Duration() <= sameMoment
}

// finWait2Cause: our FIN is ACKed, the peer's has not come.
func finWait2Cause(v *view, s *observe.Socket, d *verdict) (Cause, bool) {
	if orphan(s) {
		return OrphanDraining, true
	}
	if len(s.Holders) == 0 && v.ownersSeen && !s.Unsettled {
		return Ownerless, !v.someHidden
	}
	if d.before != nil && movedSince(d.before, s) {
		return HalfCloseInUse, true
	}
	if s.Info != nil && s.Info.BytesReceived > 0 && s.Info.LastDataRecv.Duration() < v.grace {
		return HalfCloseInUse, false // what just came may not have been read yet
	}
	if s.RecvQ > 0 {
		return DataUnread, hasStopped(s, d)
	}
	// A client may have asked, and the peer still work on its answer.
	answered := s.Info != nil && s.Info.BytesReceived > 0 && s.Info.LastDataRecv <= s.Info.LastDataSent
	return PeerKeepsOpen, d.direction == Inbound || answered
}

// closingCause: our FIN is sent and not ACKed.
func closingCause(v *view, s *observe.Socket) (Cause, bool) {
	switch {
	case s.SendQ > 1 && s.Info != nil && s.Info.LastDataSent.Duration() < v.grace && s.Info.LastAckRecv.Duration() < v.grace:
		return HalfCloseInUse, false // the FIN waits behind data that still flows
	case s.SendQ > 0 && s.Timer.Kind == observe.TimerProbe:
		return SendBlocked, true // a living peer that stopped reading, not a silent one
	case s.State == tcp.FinWait1 && s.RecvQ > 0 && s.Inode != 0 && s.Timer.Kind != observe.TimerRetransmit:
		return DataUnread, true
	}
	return FinUnacked, true
}

// orphan: the application has closed it; only the kernel still knows it.
func orphan(s *observe.Socket) bool { return s.Inode == 0 && len(s.Holders) == 0 }
