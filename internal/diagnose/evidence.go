package diagnose

import (
	"fmt"
	"slices"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// The sources a fact may have. "sock_diag" is the kernel's socket, whether it
// was read by a netlink dump or by a BPF iterator (Report.Reader says which).
const (
	fromSocket = "sock_diag"
	fromProc   = "procfs"
	fromSensor = "sensor"
)

// evidenceOf lists the facts that the finding rests on.
func evidenceOf(v *view, g *group) []Evidence {
	var out []Evidence
	add := func(source, format string, args ...any) {
		out = append(out, Evidence{Fact: fmt.Sprintf(format, args...), Source: source})
	}
	add(fromSocket, "%s", queueFact(v, g))
	if g.services > 1 {
		add(fromSocket, "they lead to %d different remote ends", g.services)
	}
	switch g.key.cause {
	case NeverAccepted:
		listenerFacts(v, g, add)
	case Masked:
		maskedFacts(v, g, add)
	case EOFIgnored:
		eofIgnoredFacts(v, g, add)
	case EOFUnread, DataUnread:
		unreadFacts(v, g, add)
	case HalfCloseInUse:
		useFacts(v, g, add)
	}
	sensorFacts(v, g, add)
	if fact := timerFact(v, g); fact != "" && g.key.cause != Masked {
		add(fromSocket, "%s", fact)
	}
	holderFacts(v, g, add)
	haltFacts(v, g, add)
	if g.key.direction == DirectionUnknown {
		add(fromSocket, "who opened these connections can't be told: no listener has their port, and it is no ephemeral port or several share it")
	}
	return out
}

type addFact func(source, format string, args ...any)

// queueFact says what waits in the queues, in the words of ss.
func queueFact(v *view, g *group) string {
	first, _ := g.at(v, 0)
	lowR, highR, lowS, highS := first.RecvQ, first.RecvQ, first.SendQ, first.SendQ
	for i := range g.members {
		s, _ := g.at(v, i)
		lowR, highR = min(lowR, s.RecvQ), max(highR, s.RecvQ)
		lowS, highS = min(lowS, s.SendQ), max(highS, s.SendQ)
	}
	if g.key.cause == Masked {
		return fmt.Sprintf("%s: the descriptor is there, and no connection of it in any list", all(len(g.members)))
	}
	if g.key.mptcp {
		return fmt.Sprintf("MPTCP, state %s: the kernel does not show what is unread on such a connection", g.key.state)
	}
	return fmt.Sprintf("state %s, Recv-Q %s, Send-Q %s on %s", g.key.state, span(lowR, highR), span(lowS, highS), all(len(g.members)))
}

func span(low, high uint32) string {
	if low == high {
		return fmt.Sprint(low)
	}
	return fmt.Sprintf("%d to %d", low, high)
}

func all(n int) string {
	if n == 1 {
		return "the one socket"
	}
	return fmt.Sprintf("all %d", n)
}

func listenerFacts(v *view, g *group, add addFact) {
	l := &v.cur.Sockets[g.key.listener]
	add(fromSocket, "the listener %s has %d connections waiting to be accepted, its backlog is %d", l.Local, l.RecvQ, l.SendQ)
	if int(l.RecvQ) > len(g.members) {
		add(fromSocket, "%d of the waiting ones are these; the others are still open, or were destroyed and keep their places", len(g.members))
	}
	waiting := 0
	for _, i := range v.listenersFor(l) {
		if other := &v.cur.Sockets[i]; other.Local == l.Local && other.RecvQ > 0 {
			waiting++
		}
	}
	if waiting > 1 {
		add(fromSocket, "several listeners share the port (SO_REUSEPORT); this is the one whose queue is the longest")
	}
}

func maskedFacts(v *view, g *group, add addFact) {
	switch {
	case v.prev != nil && confidenceOf(g) == Certain:
		add(fromSocket, "they were dead at both looks, %s apart", v.interval.Round(time.Millisecond))
	case confidenceOf(g) != Certain:
		add(fromSocket, "one look can't tell how long ago it ended, only that it was after the last ACK")
	}
	diedFacts(v, g, add)
	if g.key.service.Addr().IsValid() {
		return
	}
	if first, _ := g.at(v, 0); !first.Remote.IsValid() {
		add(fromProc, "the remote address is gone with the connection; only the BPF reader can still see it")
	}
}

func eofIgnoredFacts(v *view, g *group, add addFact) {
	if g.key.mptcp {
		return
	}
	if tellsOfZeros(v, g) {
		return
	}
	add(fromSocket, "everything up to and including the FIN was consumed: a read returned zero, or the last one took data and FIN together")
	answered := 0
	for i := range g.members {
		s, _ := g.at(v, i)
		if s.Info != nil && s.Info.BytesSent > 0 && s.Info.LastDataSent < s.Info.LastDataRecv {
			answered++
		}
	}
	if answered > 0 {
		add(fromSocket, "%d of %d sent something after the last data came, and were then silent", answered, len(g.members))
	} else if g.key.direction == Inbound {
		add(fromSocket, "nothing was sent since the last data came: a handler that still works on a slow answer looks alike")
	}
}

func unreadFacts(v *view, g *group, add addFact) {
	farewells, never, begun := 0, 0, 0
	for i := range g.members {
		s, d := g.at(v, i)
		if g.key.cause == EOFUnread && s.RecvQ > 1 && s.State == tcp.CloseWait {
			farewells++
		}
		switch {
		case s.RecvQ > 1 && neverRead(s):
			never++
		case d.before == nil && s.RecvQ > farewellLimit:
			begun++
		}
	}
	if farewells > 0 {
		add(fromSocket, "%d of %d hold a few bytes that came together with the FIN, unasked: a farewell such as a TLS close_notify", farewells, len(g.members))
	}
	if g.key.cause != DataUnread {
		return
	}
	if never > 0 {
		add(fromSocket, "%d of %d never read a byte", never, len(g.members))
	}
	if begun > 0 {
		add(fromSocket, "of %s some was read: one look can't tell who stopped from who reads slowly", ofAll(begun, len(g.members)))
	}
}

func useFacts(v *view, g *group, add addFact) {
	moved := 0
	for i := range g.members {
		s, d := g.at(v, i)
		if d.before != nil && movedSince(d.before, s) {
			moved++
		}
	}
	if moved > 0 {
		add(fromSocket, "%d of %d moved data between the two looks", moved, len(g.members))
		return
	}
	add(fromSocket, "data moved within the last %s, on them or on the other leg of the same relay", v.grace)
}

// timerFact counts which timers run.
func timerFact(v *view, g *group) string {
	if g.key.mptcp { // a close timer shows as keepalive, and those of the subflows not at all
		return ""
	}
	counts := map[observe.TimerKind]int{}
	for i := range g.members {
		s, _ := g.at(v, i)
		counts[s.Timer.Kind]++
	}
	if counts[observe.TimerNone] == len(g.members) {
		return fmt.Sprintf("no timer runs on %s", all(len(g.members)))
	}
	text := ""
	for _, k := range []observe.TimerKind{observe.TimerRetransmit, observe.TimerProbe, observe.TimerKeepalive, observe.TimerTimeWait} {
		if counts[k] > 0 {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("a %s timer runs on %d of %d", timerNames[k], counts[k], len(g.members))
		}
	}
	return text
}

// holderFacts says who holds the descriptors, or that it could not be seen.
func holderFacts(v *view, g *group, add addFact) {
	if g.key.cause == NeverAccepted || g.key.cause == Ownerless {
		add(fromProc, "no process has a descriptor of them")
		for _, l := range v.cur.Limits {
			if l.Code == observe.LimitSomeOwners && g.key.cause == Ownerless {
				add(fromProc, "%s", l.Text)
			}
		}
		return
	}
	switch shared := sharedMembers(v, g); {
	case shared > 0:
		add(fromProc, "%d of %d are held by more than one process: a close in one of them sends no FIN", shared, len(g.members))
	case g.key.program < 0 && !v.ownersSeen && g.key.uid != 0:
		add(fromSocket, "the owner could not be seen; the sockets belong to uid %d", g.key.uid)
	}
}

// sharedMembers counts those that more than one process holds.
func sharedMembers(v *view, g *group) int {
	n := 0
	for i := range g.members {
		s, _ := g.at(v, i)
		if slices.ContainsFunc(s.Holders, func(h observe.Holder) bool { return h.PID != s.Holders[0].PID }) {
			n++
		}
	}
	return n
}
