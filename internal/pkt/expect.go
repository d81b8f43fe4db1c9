package pkt

import (
	"fmt"
	"strings"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// patience is how long "*" waits, and what it costs at most.
const patience = 24 * model.Hour

// expect lets the model run until it sends something, and compares.
func (r *runner) expect(e *Event) {
	p := e.Packet
	if p.Flags.Any(tcp.ECE | tcp.CWR) {
		r.unsupported("ECN")
		return
	}
	if p.Flags.Has(tcp.SYN) && p.Len > 0 {
		r.unsupported("data on a SYN: TCP Fast Open")
		return
	}
	earliest, latest := r.window(e.When)
	r.await(latest)
	if r.done {
		return
	}
	if len(r.sent) == 0 {
		r.fail(describe(p), "nothing by "+at(latest))
		return
	}
	first := r.sent[0]
	if p.Flags.Has(tcp.SYN) {
		r.learn(p, first.seg)
	}
	got := r.join(p)
	if problem := r.compare(p, got); problem != "" {
		r.fail(describe(p), r.show(got)+r.since(first.at)+": "+problem)
		return
	}
	if first.at < earliest || first.at > latest {
		r.fail(describe(p)+" "+span(earliest, latest), "it"+r.since(first.at))
	}
}

// window is when a segment may be sent.
func (r *runner) window(w When) (earliest, latest model.Time) {
	if w.Base == Anytime || w.Base == SameTime {
		return 0, r.now + patience
	}
	earliest = r.time(w, w.At)
	latest = earliest
	if w.Ranged {
		latest = r.time(w, w.Until)
	}
	return earliest - r.tolerance, latest + r.tolerance
}

// await lets timers fire until something is sent.
func (r *runner) await(latest model.Time) {
	for len(r.sent) == 0 && r.tick(latest) {
		r.resume()
	}
}

// join takes the first segment that was sent, and those behind it that carry on
// where it ends, if the script wants more at once than one segment holds: what a
// script sees of a kernel is large segments, which the interface cuts.
func (r *runner) join(p *Packet) tcp.Segment {
	got := r.sent[0]
	n := 1
	for n < len(r.sent) && got.seg.Len > 0 && got.seg.Len < p.Len && got.seg.Flags&^tcp.PSH == tcp.ACK {
		next := r.sent[n]
		if next.at != got.at || next.seg.Len == 0 || next.seg.Seq != got.seg.End() || next.seg.Ack != got.seg.Ack ||
			got.seg.Len+next.seg.Len > p.Len {
			break
		}
		got.seg.Len += next.seg.Len
		got.seg.Flags |= next.seg.Flags
		n++
	}
	r.sent = r.sent[n:]
	return got.seg
}

// learn finds out, from the first SYN of a connection, where its numbers begin.
func (r *runner) learn(p *Packet, got tcp.Segment) {
	if p.Options.Given {
		r.peer.ours = p.Options.HasScale
	}
	if !got.Has(tcp.SYN) || r.learned && got.Seq == r.iss {
		return
	}
	r.learned, r.iss, r.offset = true, got.Seq, got.Seq
	if !p.AnySeq {
		r.offset = got.Seq - p.Seq
	}
}

// compare says what differs: "" if nothing does.
func (r *runner) compare(p *Packet, got tcp.Segment) string {
	switch {
	case got.Flags != p.Flags:
		return "other flags"
	case !p.AnySeq && got.Seq != p.Seq+r.offset:
		return "another sequence number"
	case got.Len != p.Len:
		return "another length"
	case got.Has(tcp.ACK) && p.Acks && got.Ack != p.Ack:
		return "another acknowledgment number"
	}
	return ""
}

// describe writes a segment of the script as the script does.
func describe(p *Packet) string {
	if p.AnySeq {
		return fmt.Sprintf("%s ...(%d)%s", letters(p.Flags), p.Len, ackText(p.Flags, p.Ack))
	}
	return fmt.Sprintf("%s %d:%d(%d)%s", letters(p.Flags), p.Seq, p.Seq.Add(p.Len), p.Len, ackText(p.Flags, p.Ack))
}

// show writes a segment that the model sent in the script's numbers.
func (r *runner) show(s tcp.Segment) string {
	seq := s.Seq - r.offset
	return fmt.Sprintf("%s %d:%d(%d)%s", letters(s.Flags), seq, seq.Add(s.Len), s.Len, ackText(s.Flags, s.Ack))
}

func ackText(f tcp.Flags, ack tcp.Seq) string {
	if !f.Has(tcp.ACK) {
		return ""
	}
	return fmt.Sprintf(" ack %d", ack)
}

// letters writes flags as packetdrill does.
func letters(f tcp.Flags) string {
	var b strings.Builder
	for i := range len(flagLetters) {
		if bit, _ := flagBits(flagLetters[i]); f.Has(bit) {
			b.WriteByte(flagLetters[i])
		}
	}
	if b.Len() == 0 {
		return "-"
	}
	return b.String()
}

func at(t model.Time) string {
	return fmt.Sprintf("%.3f s", float64(t-scriptStart)/float64(model.Second))
}

func (r *runner) since(t model.Time) string { return " at " + at(t) }

func span(from, to model.Time) string { return "from " + at(from) + " to " + at(to) }
