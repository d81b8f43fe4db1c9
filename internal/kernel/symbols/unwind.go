package symbols

import "slices"

// unwind returns a stack's addresses with those that frame pointers do not show:
// the callers that can be worked out from the recorded words, joined with what
// was found along the frame pointers. find gives the rule for an address.
func unwind(s Stack, find func(addr uint64) (rule, error), returns func(addr uint64) bool) []uint64 {
	if len(s.Addrs) == 0 {
		return nil
	}
	walked, ended := walk(s, find)
	hidden := s.Hidden
	if _, err := find(s.Addrs[0] - 1); hidden == 0 && err != nil && len(s.Top) > 0 {
		hidden = s.Top[0] // where the caller of a function is that moved nothing
	}
	if len(walked) == 1 && !ended && hidden != 0 && returns(hidden) {
		walked = append(walked, hidden)
	}
	// The frame pointers skip frames; what they do show stands in the same order.
	seen := 1
	for _, addr := range walked[1:] {
		if seen < len(s.Addrs) && s.Addrs[seen] == addr {
			seen++
		}
	}
	if ended {
		return walked
	}
	joined := slices.Concat(walked, s.Addrs[seen:])
	return joined[:min(len(joined), maxAddrs)]
}

// walk follows the rules as far as the recorded words go. ended says that it
// came to the stack's end.
func walk(s Stack, find func(addr uint64) (rule, error)) (walked []uint64, ended bool) {
	walked = []uint64{s.Addrs[0]}
	// Positions are bytes above s.SP, so that SP itself is not needed to find words.
	word := func(at int64) (uint64, bool) {
		if at < 0 || at%8 != 0 || at/8 >= int64(len(s.Top)) {
			return 0, false
		}
		return s.Top[at/8], true
	}
	sp, bp, bpKnown := int64(0), s.BP, s.SP != 0
	for len(walked) < maxAddrs {
		r, err := find(walked[len(walked)-1] - 1)
		if err != nil {
			return walked, false
		}
		if r.outermost {
			return walked, true
		}
		end := sp + r.offset
		if r.base == dwarfBP {
			if !bpKnown {
				return walked, false
			}
			end = int64(bp-s.SP) + r.offset
		}
		caller, ok := word(end - 8)
		if !ok || end <= sp {
			return walked, false
		}
		if caller == 0 {
			return walked, true
		}
		if r.bpSaved {
			bp, bpKnown = word(end + r.saved)
			bpKnown = bpKnown && s.SP != 0
		}
		walked, sp = append(walked, caller), end
	}
	return walked, false
}

// afterSyscall tells whether x86-64 code ends in a system call: syscall, or sysenter and
// int $0x80, which 32-bit code uses.
func afterSyscall(code [8]byte) bool {
	last := [2]byte(code[6:])
	return last == [2]byte{0x0f, 0x05} || last == [2]byte{0x0f, 0x34} || last == [2]byte{0xcd, 0x80}
}

// afterCall tells whether x86-64 code ends in a call, relative or indirect.
func afterCall(code [8]byte) bool {
	if code[3] == 0xe8 {
		return true
	}
	for _, size := range []int{2, 3, 4, 6, 7} { // FF /2 with its operands
		if code[8-size] == 0xff && code[9-size]>>3&7 == 2 {
			return true
		}
	}
	return false
}
