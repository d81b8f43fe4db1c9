package tcp

// Seq is a sequence number of RFC 9293 §3.4: a point on a circle of 2**32. Two
// points have no order of their own; they have one only if they lie within half
// a circle of each other, which a window never exceeds.
type Seq uint32

// Add returns the sequence number n octets after s.
func (s Seq) Add(n uint32) Seq { return s + Seq(n) }

// From returns how many octets s lies after t; negative when it lies before.
func (s Seq) From(t Seq) int32 { return int32(s - t) }

// Before reports whether s comes earlier than t.
func (s Seq) Before(t Seq) bool { return s.From(t) < 0 }

// After reports whether s comes later than t.
func (s Seq) After(t Seq) bool { return s.From(t) > 0 }

// Within reports whether s lies in the window of size octets that starts at
// left: "left =< s < left+size".
func (s Seq) Within(left Seq, size uint32) bool { return uint32(s-left) < size }

// Max returns the later of s and t.
func (s Seq) Max(t Seq) Seq {
	if s.Before(t) {
		return t
	}
	return s
}

// Min returns the earlier of s and t.
func (s Seq) Min(t Seq) Seq {
	if t.Before(s) {
		return t
	}
	return s
}
