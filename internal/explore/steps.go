package explore

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// Hosts are the names that stories give to the side they are about and to the
// other one.
func Hosts() [2]string { return [2]string{"local", "remote"} }

// host is a side's index in Hosts.
func (p *Path) host(side int) int {
	if side == p.Local {
		return 0
	}
	return 1
}

// Steps tells the story move by move: the time, what happens, and both states.
func (p *Path) Steps() string {
	var b strings.Builder
	width := 0
	for i := range p.Moves {
		width = max(width, utf8.RuneCountInString(p.text(&p.Moves[i])))
	}
	for i := 0; i < len(p.Moves); i++ {
		m := &p.Moves[i]
		if i == p.Asked {
			b.WriteString("        and then, by itself:\n")
		}
		text := p.text(m)
		if m.Kind == Pass {
			from := m.At
			for i+1 < len(p.Moves) && i+1 != p.Asked && p.Moves[i+1].Kind == Pass {
				i++
			}
			m = &p.Moves[i]
			text = fmt.Sprintf("(%v later)", (m.At + Unit - from).Duration())
		}
		fmt.Fprintf(&b, "  %4v  %-*s  %-11s  %s\n", p.Moves[i].At.Duration(), width, text,
			m.After[p.Local].State(), m.After[1-p.Local].State())
	}
	if p.Again {
		b.WriteString("        and so on, for ever.\n")
	}
	return b.String()
}

func (p *Path) text(m *Move) string {
	who, other := Hosts()[p.host(m.Side)], Hosts()[p.host(1-m.Side)]
	var s string
	switch m.Kind {
	case Call:
		s = fmt.Sprintf("%s: %s → %s", who, m.Call, returned(m.Result))
	case Fire:
		s = who + ": a timer fires"
	case Deliver:
		s = fmt.Sprintf("%s arrives at %s", brief(m.Segment), who)
		if m.Overtakes > 0 {
			s += fmt.Sprintf(", %d older overtaken", m.Overtakes)
		}
	case Lose:
		return fmt.Sprintf("the link loses %s from %s", brief(m.Segment), other)
	case Duplicate:
		return fmt.Sprintf("the link duplicates %s from %s", brief(m.Segment), other)
	}
	if len(m.Sent) == 0 {
		return s
	}
	var sent []string
	for _, seg := range m.Sent {
		sent = append(sent, brief(seg))
	}
	return s + "; sends " + strings.Join(sent, ", ")
}

// returned is what a call returned, as a story writes it.
func returned(r model.Result) string {
	switch {
	case r.Err != model.OK:
		return r.Err.String()
	case r.Call == model.KindRead || r.Call == model.KindWrite:
		return fmt.Sprint(r.N)
	}
	return "ok"
}

// brief names a segment by its flags, with its numbers: "FIN|ACK 1:2 ack 1".
func brief(s tcp.Segment) string {
	text := fmt.Sprintf("%v %d", s.Flags, uint32(s.Seq))
	if s.SeqLen() > 0 {
		text += fmt.Sprintf(":%d", uint32(s.End()))
	}
	if s.Has(tcp.ACK) {
		text += fmt.Sprintf(" ack %d", uint32(s.Ack))
	}
	return text
}
