package scenario

import (
	"fmt"
	"slices"

	"github.com/closewait/closewait/tcp"
)

// sorter brings segments into the normal form of ExpectWire. It has to see all
// of a story's, from the first on.
type sorter struct {
	hosts [2]sender
}

// sender is what one host has sent so far.
type sender struct {
	begun   bool
	end     tcp.Seq // after the last sequence number used
	dataEnd tcp.Seq // the same, of data alone
	once    map[once]bool
}

// once identifies what is sent again when it comes a second time. Data is not
// in it: a retransmission may cut it differently.
type once struct {
	class Class
	seq   tcp.Seq
}

// items says what a packet is: one item, or two for data with a FIN.
func (s *sorter) items(p Packet) []WireItem {
	h := &s.hosts[p.From&1]
	if h.once == nil {
		h.once = map[once]bool{}
	}
	seg := p.Segment
	if seg.Has(tcp.SYN) && !h.once[once{class: h.class(seg), seq: seg.Seq}] {
		*h = sender{once: map[once]bool{}} // a new connection
	}
	item := WireItem{From: p.From & 1, Class: h.class(seg), Lost: p.Lost}
	key := once{class: item.Class, seq: seg.Seq}
	var out []WireItem
	switch item.Class {
	case Data:
		item.N = int(min(seg.Len, maxCount))
		end := seg.Seq.Add(seg.Len)
		item.Again = h.once[once{class: Data}] && !end.After(h.dataEnd)
		if !item.Again {
			h.dataEnd = end
		}
		h.once[once{class: Data}] = true
		out = append(out, item)
		if !seg.Has(tcp.FIN) {
			break
		}
		item = WireItem{From: item.From, Class: FIN, Lost: p.Lost}
		key = once{class: FIN, seq: end}
		fallthrough
	default:
		if item.Class == RST {
			// Never the same one again (C11): any after the first counts as that.
			item.WithAck = seg.Has(tcp.ACK)
			key.seq = 0
		}
		// An ACK is never the same one again: it has no number of its own.
		item.Again = h.once[key] && item.Class != Pure
		h.once[key] = true
		out = append(out, item)
	}
	if item.Class != RST && (!h.begun || seg.End().After(h.end)) {
		h.begun, h.end = true, seg.End()
	}
	return out
}

// class is the one Class of a segment; data with a FIN is Data.
func (h *sender) class(s tcp.Segment) Class {
	for _, c := range []Class{RST, SYN, SYNACK, Data, FIN} {
		if c.Holds(s) {
			return c
		}
	}
	if h.begun && s.Seq.Before(h.end) {
		return Probe
	}
	return Pure
}

// optional reports whether ExpectWire may leave the item out.
func (i WireItem) optional() bool { return i.Class == Pure || i.Again }

// join adds an item to those before it: new data of one host, with nothing
// between that has to be expected, is one item, however it was cut.
func join(all []WireItem, item WireItem) []WireItem {
	if item.Class == Data && !item.Again {
		for i := len(all) - 1; i >= 0; i-- {
			was := &all[i]
			if was.Class == Data && !was.Again && was.From == item.From && was.Lost == item.Lost {
				was.N = min(was.N+item.N, maxCount)
				return all
			}
			if !was.optional() {
				break
			}
		}
	}
	return append(all, item)
}

// is reports whether what was seen is what was wanted.
func (i WireItem) is(want WireItem) bool {
	if want.Class == Data && want.N == 0 {
		i.N = 0
	}
	if want.Class == RST && !want.WithAck {
		i.WithAck = false
	}
	return i == want
}

// mismatch is where a list of items departs from what was wanted.
type mismatch struct{ wanted, got string }

// match compares what was seen with what was wanted. Optional items are passed
// over unless they are the next one wanted.
func match(seen, want []WireItem, hosts [2]string) *mismatch {
	next := 0
	for _, item := range seen {
		switch {
		case next < len(want) && item.is(want[next]):
			next++
		case item.optional():
		case next < len(want):
			return &mismatch{describe(want[next], hosts), describe(item, hosts)}
		default:
			return &mismatch{"nothing more on the wire", describe(item, hosts)}
		}
	}
	if next < len(want) {
		return &mismatch{describe(want[next], hosts), "nothing more on the wire"}
	}
	return nil
}

// matchEnd is match, of the last part of what was seen.
func matchEnd(seen, want []WireItem, hosts [2]string) *mismatch {
	whole := match(seen, want, hosts)
	if whole == nil {
		return nil
	}
	for i := range seen {
		if match(seen[i+1:], want, hosts) == nil {
			return nil
		}
	}
	return whole
}

func describe(i WireItem, hosts [2]string) string {
	return fmt.Sprintf("%s→%s %s", hosts[i.From], hosts[1-i.From], i)
}

// needed is what an expectation of the seen items has to say, for Update: what
// is not optional, and of the optional what the old expectation mentioned.
func needed(seen, want []WireItem) []WireItem {
	var out []WireItem
	for _, item := range seen {
		k := slices.IndexFunc(want, item.is)
		switch {
		case k >= 0:
			out = append(out, want[k])
			want = want[k+1:]
		case !item.optional():
			item.WithAck = false
			out = append(out, item)
		}
	}
	return out
}
