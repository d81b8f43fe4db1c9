package collect

import (
	"cmp"
	"fmt"
	"time"

	"github.com/closewait/closewait/internal/kernel/sensor"
	"github.com/closewait/closewait/internal/kernel/symbols"
	"github.com/closewait/closewait/internal/observe"
)

// Bounds on what is named.
const (
	mostKept  = 2048    // different stacks
	mostKnown = 1 << 16 // ids of stacks: each process has its own. The sensor itself keeps 8192
	mostTries = 16      // of naming what a perf map did not list
	// mostNaming is for how long in a look: of an honest program a stack takes some
	// 0.3 ms, of files that are made to be slow a second.
	mostNaming = 5 * time.Second
)

// tooMany is the number of a stack for which there was no place.
const tooMany = -1

// unnamed is a stack with compiled code that no perf map has named yet.
type unnamed struct {
	stack symbols.Stack
	in    string // the perf map that was read last
	tries int
}

// numberOf is the number of a stack that is named already, else 0.
func (x *Sensing) numberOf(id uint32) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return max(0, x.known[id])
}

// stack names a stack, once, and returns its number; 0 where it is not kept any
// more, or its process has gone.
func (x *Sensing) stack(id uint32) int {
	if id == 0 {
		return 0
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	n, known := x.known[id]
	switch {
	case n == tooMany, !known && x.spent >= mostNaming:
		x.left[id] = true
		return 0
	case x.spent >= mostNaming:
		return n
	}
	begun := time.Now()
	defer func() { x.spent += time.Since(begun) }()
	if known {
		x.nameAgain(id, n)
		return n
	}
	if len(x.known) >= mostKnown {
		clear(x.known)
	}
	x.known[id] = 0
	raw, err := x.sensor.Stack(id)
	if err != nil {
		return 0
	}
	stack := asked(raw)
	frames, err := x.names.Stack(stack)
	if err != nil || len(frames) == 0 {
		return 0
	}
	code := named(frames)
	what := fmt.Sprint(code)
	if nameless(code) > 0 {
		what = fmt.Sprint("stack ", id) // a name that comes later is of this process alone
	}
	n, ok := x.places[what]
	if !ok {
		if len(x.kept) >= mostKept {
			x.left[id], x.known[id] = true, tooMany
			return 0
		}
		x.kept = append(x.kept, observe.Stack{PID: raw.PID, Frames: code})
		n = len(x.kept)
		x.places[what] = n
		if nameless(code) > 0 {
			x.unnamed[id] = &unnamed{stack: stack}
		}
	}
	x.known[id] = n
	return n
}

// nameAgain names a stack whose process has written a perf map since: Java does when
// jcmd asks it to, which is when somebody has seen that names are missing.
func (x *Sensing) nameAgain(id uint32, n int) {
	u := x.unnamed[id]
	if u == nil {
		return
	}
	at, ok := x.listed[u.stack.PID]
	if !ok {
		at = x.names.PerfMap(u.stack.PID, u.stack.Started)
		x.listed[u.stack.PID] = at
	}
	if at == "" || at == u.in {
		return
	}
	u.in, u.tries = at, u.tries+1
	frames, err := x.names.Stack(u.stack)
	if code := named(frames); err == nil && nameless(code) < nameless(x.kept[n-1].Frames) {
		x.kept[n-1].Frames = code
	}
	if nameless(x.kept[n-1].Frames) == 0 || u.tries == mostTries {
		delete(x.unnamed, id)
	}
}

// nameless counts the frames of compiled code without a name.
func nameless(code []observe.Frame) (n int) {
	for _, f := range code {
		if f.Module == symbols.JIT && f.Function == "" {
			n++
		}
	}
	return n
}

// asked is a stack as package symbols wants it; both count a process's start in
// the ticks of /proc.
func asked(s *sensor.Stack) symbols.Stack {
	const tick = 10 * time.Millisecond
	return symbols.Stack{
		PID: int(s.PID), Called: true, Started: uint64(s.Started / tick), Addrs: s.Frames, Hidden: s.Hidden, Creators: s.Creators,
	}
}

// createdBy is the note of a frame that is not on the stack: its go statement began
// the goroutine, where the stack ends.
const createdBy = "the goroutine was created by it"

func named(frames []symbols.Frame) []observe.Frame {
	out := make([]observe.Frame, len(frames))
	code := symbols.Code(frames)
	for i, f := range frames {
		out[i] = observe.Frame{Function: f.Function, File: f.File, Line: f.Line, Module: f.Module, Offset: f.Offset, Note: f.Note}
		if f.Role == symbols.Creator && f.Note == "" {
			out[i].Note = createdBy
		}
		for _, c := range code {
			if c.Addr == f.Addr && c.Function == f.Function && c.Inlined == f.Inlined {
				out[i].Tells, out[i].Note = true, cmp.Or(c.Note, out[i].Note)
			}
		}
	}
	return out
}
