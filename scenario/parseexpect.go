package scenario

import "github.com/closewait/closewait/tcp"

// hostWants reads what "expect" says of one host or both.
func hostWants(w *words) []HostWant {
	all := []HostWant{hostWant(w)}
	for w.separator() {
		next := hostWant(w)
		if next.Host == all[0].Host {
			w.at--
			w.fail("the other host, for this one has been described")
			return all
		}
		all = append(all, next)
		if len(all) == 2 {
			break
		}
	}
	return all
}

// separator steps over what joins two descriptions.
func (w *words) separator() bool {
	return w.take(",") || w.take(";") || w.take("and")
}

// hostWant reads one host's description: "local CLOSE_WAIT with recv-q 1 and
// no timer".
func hostWant(w *words) HostWant {
	h := HostWant{Host: w.host(), RecvQ: -1, SendQ: -1}
	first := true
	if w.take("gone") {
		h.Gone, first = true, false
	} else if state, err := tcp.ParseState(w.peek()); err == nil {
		w.next()
		h.State, first = state, false
	}
	for w.err == nil {
		before := w.at
		if !w.take("with") && !first {
			w.separator()
		}
		if w.isHost() || !attribute(w, &h) {
			w.at = before
			break
		}
		first = false
	}
	if first {
		w.fail("a state such as CLOSE_WAIT, or gone, held, recv-q, send-q, timer, no timer, forever")
	}
	return h
}

// attribute reads one thing said of a host.
func attribute(w *words, h *HostWant) bool {
	switch {
	case w.take("held", "by", "nobody"):
		h.Held = -1
	case w.take("held"):
		h.Held = 1
	case w.take("recv-q"):
		h.RecvQ = int64(w.number("octets", 0))
	case w.take("send-q"):
		h.SendQ = int64(w.number("octets", 0))
	case w.take("no", "timer"):
		h.Timer = TimerNone
	case w.take("timer"):
		h.Timer = TimerRetransmission + Timer(w.choose(timers[TimerRetransmission:], "retransmission, probe, wait or keepalive"))
	case w.take("forever"):
		h.Forever = true
	default:
		return false
	}
	return true
}

// wireItems reads "… local→remote FIN, remote→local ACK again lost", or
// "nothing".
func wireItems(w *words) (items []WireItem, from bool) {
	from = w.take("…")
	if w.take("nothing") {
		return nil, from
	}
	sender := -1
	for w.err == nil {
		if w.isHost() {
			sender = w.host()
			w.need("→")
			if to := w.host(); to == sender {
				w.at--
				w.fail("the other host: a host sends nothing to itself")
			}
		} else if sender < 0 {
			w.fail("who sends: " + w.hosts[0] + "→" + w.hosts[1])
		}
		items = append(items, wireItem(w, sender))
		if !w.separator() {
			break
		}
	}
	return items, from
}

func wireItem(w *words, from int) WireItem {
	item := WireItem{From: from}
	switch {
	case w.isNumber():
		item.Class, item.N = Data, w.number("octets", 1)
		if !w.take("byte") {
			w.need("bytes")
		}
	case w.take("RST|ACK"):
		item.Class, item.WithAck = RST, true
	default:
		item.Class = wireClass(w)
	}
	item.Again = w.take("again")
	item.Lost = w.take("lost")
	return item
}

func wireClass(w *words) Class {
	for c := RST; c <= Probe; c++ {
		if w.take(c.String()) {
			return c
		}
	}
	w.fail("a segment: SYN, SYN|ACK, FIN, RST, RST|ACK, ACK, probe, data, or 10 bytes")
	return AnySegment
}
