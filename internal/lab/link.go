package lab

import (
	"bytes"
	"time"

	"github.com/closewait/closewait/scenario"
	"github.com/closewait/closewait/tcp"
)

// lossTime is after how long a segment that has not come out of the bridge,
// though no rule wants it lost, counts as lost. A bridge takes microseconds.
const lossTime = 100 * time.Millisecond

// link makes packets of what the tap sees: a segment goes in at its sender's
// port, and comes out at the other one or never. What arrived is what was seen;
// the rules are followed here only to know what to wait for.
type link struct {
	rules scenario.Rules
	// sent are the packets not yet told, in the order of sending.
	sent []*passage
	// scale are the window scales of the two hosts' SYNs.
	scale [2]scale
	// owes is what each host has yet to answer.
	owes [2]debt
}

type scale struct {
	shift   uint8
	offered bool
}

// passage is a segment on its way.
type passage struct {
	scenario.Packet
	fate scenario.Rule
	data []byte
	at   time.Time
	// settled: it is known whether it arrived.
	settled bool
}

// debt is the number that a host has yet to acknowledge, and since when.
type debt struct {
	seq  tcp.Seq
	from time.Time
	due  bool
}

// enter takes a segment that a host sent.
func (l *link) enter(from int, f frame, data []byte, at time.Time, story time.Duration) *passage {
	seg := f.Segment
	if seg.Has(tcp.SYN) {
		l.scale[from] = scale{f.Scale, f.HasScale}
	} else if l.scale[0].offered && l.scale[1].offered {
		// Only where both offered it is the window scaled, and never a SYN's.
		seg.Window <<= l.scale[from].shift
	}
	p := &passage{
		Packet: scenario.Packet{From: from, Segment: seg, Sent: story},
		fate:   l.rules.Decide(from, seg), data: bytes.Clone(data), at: at,
	}
	l.sent = append(l.sent, p)
	if seg.Has(tcp.RST) || seg.Has(tcp.ACK) && !seg.Ack.Before(l.owes[from].seq) {
		l.owes[from].due = false
	}
	return p
}

// leave takes a frame that comes out of the bridge on the way to a host, and
// returns the passage that it ends. Frames of one direction keep their order.
func (l *link) leave(to int, f frame, data []byte, at time.Time, story time.Duration) *passage {
	for _, p := range l.sent {
		if p.From != to && p.Arrived == 0 && bytes.Equal(p.data, data) {
			p.Arrived, p.Lost, p.settled = max(story, 1), false, true
			l.oblige(to, f.Segment, at)
			return p
		}
	}
	return nil
}

// oblige notes that a host's TCP will answer, if it answers at all.
func (l *link) oblige(to int, s tcp.Segment, at time.Time) {
	if s.SeqLen() == 0 || s.Has(tcp.RST) {
		return
	}
	l.owes[to] = debt{seq: s.End(), from: at, due: true}
}

// judge settles what has not come out of the bridge: what a rule selects is lost
// or delayed, all else is given time. It reports whether nothing is open.
func (l *link) judge(now time.Time) bool {
	open := false
	for _, p := range l.sent {
		switch {
		case p.settled:
		case p.fate.Fate == scenario.Lose, p.fate.Fate == scenario.Delay:
			p.settled, p.Lost = true, p.fate.Fate == scenario.Lose
		case now.Sub(p.at) > lossTime:
			p.settled, p.Lost = true, true
		default:
			open = true
		}
	}
	return !open
}

// take returns what is settled, up to the first that is not.
func (l *link) take() []*passage {
	n := 0
	for n < len(l.sent) && l.sent[n].settled {
		n++
	}
	told := l.sent[:n:n]
	l.sent = l.sent[n:]
	return told
}

// answerTime is how long a host may take to answer a segment. With quickack it
// takes microseconds, unless it does not answer at all: a full accept queue.
const answerTime = 20 * time.Millisecond

// owed reports whether an answer is on its way.
func (l *link) owed(now time.Time) bool {
	for _, d := range l.owes {
		if d.due && now.Sub(d.from) < answerTime {
			return true
		}
	}
	return false
}
