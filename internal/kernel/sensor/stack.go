package sensor

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Stack is what a process was doing, innermost frame first: addresses of its own
// memory, to be looked up in its maps while it lives.
type Stack struct {
	PID  int32
	Comm string
	// Started is when the process did, from boot, in the steps of field 22 of its
	// /proc/PID/stat: a process of that number with another is not this one.
	Started time.Duration
	// Hidden is the return address of a caller that Frames leaves out, between the
	// first and the second, because its callee (a system call wrapper) makes no
	// frame; 0 if there is none to be found.
	Hidden uint64
	// Creators are words among which the return address is of the go statement that
	// began the goroutine; none of a program that is not Go's.
	Creators []uint64
	// Frames are at most 64. A program built without frame pointers loses its own
	// beyond the first ones.
	Frames []uint64
}

// Sizes of struct stack.
const (
	sizeStackHeader = 56
	mostFrames      = 64
	sizeStack       = sizeStackHeader + mostFrames*8
)

// tick is the unit of struct stack's start.
const tick = 10 * time.Millisecond

func decodeStack(b []byte) (*Stack, error) {
	if len(b) < sizeStack {
		return nil, fmt.Errorf("a stack of %d bytes, want %d", len(b), sizeStack)
	}
	le := binary.LittleEndian
	count := le.Uint32(b[36:])
	if count > mostFrames {
		return nil, fmt.Errorf("a stack of %d frames, %d is the most", count, mostFrames)
	}
	s := &Stack{
		Started: time.Duration(le.Uint64(b[8:])) * tick, Hidden: le.Uint64(b[16:]),
		PID: int32(le.Uint32(b[32:])), Comm: text(b[40:56]),
		Frames: make([]uint64, count),
	}
	for i := range s.Frames {
		s.Frames[i] = le.Uint64(b[sizeStackHeader+8*i:])
	}
	if creator := le.Uint64(b[24:]); creator != 0 {
		s.Creators = []uint64{creator}
	}
	return s, nil
}
