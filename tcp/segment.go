package tcp

import (
	"fmt"
	"strings"
)

// Segment is a TCP segment as far as connections live and die by it: data is a
// count of octets, and the options that matter are fields. It is comparable.
type Segment struct {
	Seq Seq
	// Ack means something only with the ACK flag.
	Ack Seq
	// Len counts data octets; SYN and FIN are not in it (SeqLen has them).
	Len uint32
	// Window is the offered window in octets, window scaling already applied.
	Window uint32
	// MSS is the maximum segment size option of a SYN; 0 is none.
	MSS   uint16
	Flags Flags
	// Sack is how many octets from Ack on are missing before others that have
	// come: the left edge of a SACK block (RFC 2018), less Ack; 0 is none.
	Sack uint32
}

// SeqLen is SEG.LEN: "the number of octets occupied by the data in the segment
// (counting SYN and FIN)" (RFC 9293 §3.4).
func (s Segment) SeqLen() uint32 {
	n := s.Len
	if s.Flags&SYN != 0 {
		n++
	}
	if s.Flags&FIN != 0 {
		n++
	}
	return n
}

// End is the sequence number after the segment's last one.
func (s Segment) End() Seq { return s.Seq.Add(s.SeqLen()) }

// Has reports whether the segment carries all these control bits.
func (s Segment) Has(bits Flags) bool { return s.Flags.Has(bits) }

// String formats the segment as RFC 9293 §3.5 writes one:
// "<SEQ=100><ACK=300><DATA=5><CTL=PSH|ACK>". Options follow in the same form.
func (s Segment) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "<SEQ=%d>", uint32(s.Seq))
	if s.Has(ACK) {
		fmt.Fprintf(&b, "<ACK=%d>", uint32(s.Ack))
	}
	if s.Len > 0 {
		fmt.Fprintf(&b, "<DATA=%d>", s.Len)
	}
	fmt.Fprintf(&b, "<CTL=%s>", s.Flags)
	if s.MSS > 0 {
		fmt.Fprintf(&b, "<MSS=%d>", s.MSS)
	}
	return b.String()
}
