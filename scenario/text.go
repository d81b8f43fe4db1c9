package scenario

import (
	"fmt"
	"strconv"
	"strings"
)

func (a *Act) text(hosts [2]string) string {
	s := hosts[a.Host] + " " + a.Call.String()
	if a.Want != nil {
		s += " → " + a.Want.String()
	}
	return s
}

func (*Meet) text(hosts [2]string) string {
	return hosts[0] + " and " + hosts[1] + " are connected"
}

func (l *Link) text(hosts [2]string) string { return l.Rule.text(hosts) }

func (*Recover) text([2]string) string { return "the link recovers" }

func (w *Wait) text(hosts [2]string) string {
	if w.Until == nil {
		return "wait " + Span(w.Most)
	}
	return "wait until " + w.Until.text(hosts) + ", at most " + Span(w.Most)
}

func (e *Expect) text(hosts [2]string) string { return expectText(e.Hosts, hosts) }

func (e *ExpectWire) text(hosts [2]string) string { return wireText(e.Items, e.From, hosts) }

func expectText(all []HostWant, hosts [2]string) string {
	var parts []string
	for _, h := range all {
		parts = append(parts, h.text(hosts))
	}
	return "expect " + strings.Join(parts, "; ")
}

// text writes the description as a story does: "local CLOSE_WAIT with recv-q 1
// and no timer".
func (h HostWant) text(hosts [2]string) string {
	s := hosts[h.Host]
	switch {
	case h.Gone:
		s += " gone"
	case h.State != 0:
		s += " " + h.State.String()
	}
	switch {
	case h.Held > 0:
		s += " held"
	case h.Held < 0:
		s += " held by nobody"
	}
	var more []string
	if h.RecvQ >= 0 {
		more = append(more, "recv-q "+strconv.FormatInt(h.RecvQ, 10))
	}
	if h.SendQ >= 0 {
		more = append(more, "send-q "+strconv.FormatInt(h.SendQ, 10))
	}
	switch h.Timer {
	case TimerUnknown:
	case TimerNone:
		more = append(more, "no timer")
	default:
		more = append(more, "timer "+h.Timer.String())
	}
	if len(more) > 0 {
		s += " with " + strings.Join(more, " and ")
	}
	if h.Forever {
		s += " forever"
	}
	return s
}

func wireText(items []WireItem, from bool, hosts [2]string) string {
	var b strings.Builder
	b.WriteString("expect wire ")
	if from {
		b.WriteString("… ")
	}
	if len(items) == 0 {
		b.WriteString("nothing")
	}
	for i, item := range items {
		switch {
		case i == 0:
		case items[i-1].From == item.From:
			b.WriteString(", ")
		default:
			b.WriteString("; ")
		}
		if i == 0 || items[i-1].From != item.From {
			fmt.Fprintf(&b, "%s→%s ", hosts[item.From], hosts[1-item.From])
		}
		b.WriteString(item.String())
	}
	return b.String()
}

// String writes the item without who sent it: "10 bytes again lost".
func (i WireItem) String() string {
	s := i.Class.String()
	switch {
	case i.Class == Data && i.N == 1:
		s = "1 byte"
	case i.Class == Data && i.N > 0:
		s = strconv.Itoa(i.N) + " bytes"
	case i.WithAck:
		s = "RST|ACK"
	}
	if i.Again {
		s += " again"
	}
	if i.Lost {
		s += " lost"
	}
	return s
}

// text writes the line without its reason: "on xnu expect wire nothing".
func (a Apart) text(rest string) string {
	return "on " + strings.Join(a.On, ", ") + " " + rest + " because " + a.Because
}

// others writes a step's "on …" lines.
func others(s Step, hosts [2]string) []string {
	var all []string
	switch s := s.(type) {
	case *Act:
		for _, e := range s.Else {
			all = append(all, e.Apart.text("→ "+e.Want.String()))
		}
	case *Expect:
		for _, e := range s.Else {
			all = append(all, e.Apart.text(expectText(e.Hosts, hosts)))
		}
	case *ExpectWire:
		for _, e := range s.Else {
			all = append(all, e.Apart.text(wireText(e.Items, e.From, hosts)))
		}
	}
	return all
}
