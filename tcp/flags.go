package tcp

import (
	"fmt"
	"strings"
)

// Flags are the control bits of a segment, at their places in the header
// (RFC 9293 §3.1).
type Flags uint16

// The control bits.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
	AE // RFC 9768; once NS
)

var flagNames = [9]string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE"}

// Has reports whether all bits of f are set.
func (f Flags) Has(bits Flags) bool { return f&bits == bits }

// Any reports whether at least one of the bits is set.
func (f Flags) Any(bits Flags) bool { return f&bits != 0 }

// String returns the names in the order SYN, FIN, RST, then the others, as in
// "FIN|ACK"; "none" when no bit is set.
func (f Flags) String() string {
	var names []string
	for _, i := range [9]int{1, 0, 2, 3, 4, 5, 6, 7, 8} {
		if f&(1<<i) != 0 {
			names = append(names, flagNames[i])
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, "|")
}

// ParseFlags reads names joined by '|', in any order and case: "fin|ack".
// "none" and the empty string are no flag at all.
func ParseFlags(text string) (Flags, error) {
	if text == "" || strings.EqualFold(text, "none") {
		return 0, nil
	}
	var f Flags
	for name := range strings.SplitSeq(text, "|") {
		bit, ok := flagNamed(strings.TrimSpace(name))
		if !ok {
			return 0, fmt.Errorf("unknown TCP flag %q: use FIN, SYN, RST, PSH, ACK, URG, ECE, CWR or AE, joined by |", name)
		}
		f |= bit
	}
	return f, nil
}

func flagNamed(name string) (Flags, bool) {
	for i, known := range flagNames {
		if strings.EqualFold(name, known) {
			return 1 << i, true
		}
	}
	return 0, false
}
