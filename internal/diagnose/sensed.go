package diagnose

import (
	"fmt"
	"slices"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// sensorFacts are what only the sensor could see.
func sensorFacts(v *view, g *group, add addFact) {
	if v.cur.Sensor == nil {
		return
	}
	older, multipath, exact := 0, 0, 0
	for i := range g.members {
		s, _ := g.at(v, i)
		switch {
		case s.MPTCP:
			multipath++
		case s.History == nil || s.History.Older:
			older++
		}
		if _, ok := exactAge(v, s); ok {
			exact++
		}
	}
	n := len(g.members)
	switch {
	case exact == n:
		add(fromSensor, "since when is exact on %s", all(n))
	case exact > 0:
		add(fromSensor, "since when is exact on %d of %d", exact, n)
	}
	if older > 0 {
		or := ""
		if slices.ContainsFunc(v.cur.Limits, func(l observe.Limit) bool { return l.Code == observe.LimitSensor }) {
			or = ", or what it knew of them is lost"
		}
		add(fromSensor, "%d of %d are older than the sensor, which runs since %s%s", older, n, clockTime(v, v.cur.Sensor.Since), or)
	}
	if multipath > 0 {
		add(fromSensor, "the sensor tells nothing of %s: they are MPTCP's", ofAll(multipath, n))
	}
	switch g.key.cause {
	case EOFIgnored:
		zeroFacts(v, g, add)
	case EOFUnread, DataUnread:
		untoldFacts(v, g, add)
	case Masked:
		endFacts(v, g, add)
	}
}

// clockTime is a moment, by the clock of who looked.
func clockTime(v *view, t time.Time) string {
	t = t.In(v.now.Location())
	if v.now.Sub(t) > 20*time.Hour {
		return t.Format("2006-01-02 15:04:05")
	}
	return t.Format("15:04:05")
}

// zeros counts the members of which it is known whether a read returned zero, and
// when the last of these reads was.
func zeros(v *view, g *group) (told, coalesced int, last time.Time) {
	for i := range g.members {
		s, _ := g.at(v, i)
		switch h := s.History; {
		case h == nil || h.HalfClosed.IsZero():
		case !h.Zero.IsZero():
			told++
			if h.Zero.After(last) {
				last = h.Zero
			}
		case !v.cur.Sensor.Blind && s.State == tcp.CloseWait && s.RecvQ == 0:
			coalesced++
		}
	}
	return told, coalesced, last
}

// tellsOfZeros reports whether the sensor knows of every member what its last
// read returned.
func tellsOfZeros(v *view, g *group) bool {
	if v.cur.Sensor == nil {
		return false
	}
	told, coalesced, _ := zeros(v, g)
	return told+coalesced == len(g.members)
}

func zeroFacts(v *view, g *group, add addFact) {
	told, coalesced, last := zeros(v, g)
	if told > 0 {
		add(fromSensor, "a read returned zero on %s, last at %s, and nothing was closed", ofAll(told, len(g.members)), clockTime(v, last))
	}
	if coalesced > 0 {
		add(fromSensor, "on %s the last read took data and the FIN together: none returned zero", ofAll(coalesced, len(g.members)))
	}
}

// untoldFacts: nobody has asked since the FIN came.
func untoldFacts(v *view, g *group, add addFact) {
	if v.cur.Sensor.Blind {
		return
	}
	untold, peeked := 0, 0
	for i := range g.members {
		s, _ := g.at(v, i)
		if h := s.History; h != nil && !h.HalfClosed.IsZero() && h.Zero.IsZero() {
			untold++
			if h.Peeked {
				peeked++
			}
		}
	}
	if untold > 0 {
		add(fromSensor, "no read has returned zero on %s", ofAll(untold, len(g.members)))
	}
	if peeked > 0 {
		add(fromSensor, "a read with MSG_PEEK has seen the end on %s", ofAll(peeked, len(g.members)))
	}
}

// endings are how dead descriptors came about, in words.
var endings = []struct {
	end  observe.End
	text string
}{
	{observe.EndReset, "a RST ended"},
	{observe.EndKeepalive, "unanswered keepalive probes ended"},
	{observe.EndRetransmitted, "the retransmission limit ended"},
	{observe.EndDestroyed, "somebody destroyed (SOCK_DESTROY, ss -K)"},
	{observe.EndPeer, "the peer's FIN ended"},
}

func endFacts(v *view, g *group, add addFact) {
	counts := map[observe.End]int{}
	last := map[observe.End]time.Time{}
	waited := time.Duration(0)
	for i := range g.members {
		s, _ := g.at(v, i)
		h := s.History
		if h == nil || h.Ended.IsZero() {
			continue
		}
		counts[h.End]++
		if h.Ended.After(last[h.End]) {
			last[h.End] = h.Ended
		}
		if h.FINReceived && !h.HalfClosed.IsZero() {
			waited = max(waited, h.Ended.Sub(h.HalfClosed))
		}
	}
	for _, e := range endings {
		if n := counts[e.end]; n > 0 {
			add(fromSensor, "%s %s, last at %s", e.text, ofAll(n, len(g.members)), clockTime(v, last[e.end]))
		}
	}
	if waited > 0 {
		add(fromSensor, "before that they were in CLOSE_WAIT, %s at the longest", waited.Round(time.Second))
	}
}

// diedFacts tells of those whose end no sensor saw.
func diedFacts(v *view, g *group, add addFact) {
	counts := map[observe.End]int{}
	for i := range g.members {
		if s, _ := g.at(v, i); s.History == nil || s.History.Ended.IsZero() {
			counts[s.Died]++
		}
	}
	for _, e := range endings {
		if n := counts[e.end]; n > 0 {
			add(fromSocket, "%s %s: the error still waits to be told to the application", e.text, ofAll(n, len(g.members)))
		}
	}
	if n := counts[""]; n > 0 && v.cur.Reader == "bpf" {
		add(fromSocket, "the application was told of the end of %s, or both sides had finished", ofAll(n, len(g.members)))
	}
}

func ofAll(n, total int) string {
	if n == total {
		return all(total)
	}
	return fmt.Sprintf("%d of %d", n, total)
}
