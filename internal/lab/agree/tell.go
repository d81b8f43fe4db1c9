package agree

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/closewait/closewait/scenario"
	"github.com/closewait/closewait/tcp"
)

// What no call returns, and no host looks like: Tell puts the model's answers
// in its place.
const (
	noReturn = " → EDESTADDRREQ"
	noLook   = "expect local SYN_SENT held with recv-q 0 and send-q 0 and timer keepalive; remote SYN_SENT held with recv-q 0 and send-q 0 and timer keepalive"
	noWire   = "expect wire nothing"
)

// pause is long enough for timers that end after some jiffies, and not near any
// other timer's end.
const pause = "wait 900ms"

// Tell writes a story of these lines, which expect nothing, with all that the
// model answers as expectations: what each call returns, and after each step
// how both hosts look and what was sent.
func Tell(lines []string) (*scenario.Story, error) {
	pauses := make([]bool, len(lines))
	for {
		src, at := asked(lines, pauses)
		s, err := scenario.Parse("random.story", src)
		if err != nil {
			return nil, err
		}
		r, err := Play(s)
		if err != nil {
			return nil, fmt.Errorf("play it on the model: %w", err)
		}
		if line := soon(r, func(line int) bool { return pauses[at[line]] }); line > 0 {
			pauses[at[line]] = true
			continue
		}
		if s, err = scenario.Parse(s.File, scenario.Update(s, src, r)); err != nil {
			return nil, err
		}
		for _, step := range s.Steps {
			if e, ok := step.(*scenario.Expect); ok {
				for i := range e.Hosts {
					visible(&e.Hosts[i])
				}
			}
		}
		return scenario.Parse(s.File, scenario.Format(s))
	}
}

// asked writes a story that asks everything. at says which of the lines stands
// on a line of it.
func asked(lines []string, pauses []bool) (src []byte, at map[int]int) {
	var b strings.Builder
	at = map[int]int{}
	n := 0
	add := func(i int, line string) {
		n++
		at[n] = i
		b.WriteString(line + "\n")
	}
	for i, l := range lines {
		switch {
		case strings.HasPrefix(l, "the link"):
			add(i, l)
			continue
		case !strings.HasPrefix(l, "wait") && !strings.HasSuffix(l, "connected"):
			l += noReturn
		}
		add(i, l)
		if pauses[i] {
			add(i, pause)
		}
		add(i, noLook)
		add(i, noWire)
	}
	return []byte(b.String()), at
}

// soon returns the first line, but for those that have a pause, after which a
// host has a timer that ends after some jiffies: before the next step, or after
// it. 0 is none.
func soon(r *scenario.Result, paused func(line int) bool) int {
	var w wire
	line := 0
	for _, e := range r.Events {
		switch e.Kind {
		case scenario.Called, scenario.Waited, scenario.Checked:
			if line > 0 && w.soon() && !paused(line) {
				return line
			}
			line, w.fresh, w.again = e.Line, false, false
		case scenario.Sent:
			w.see(e.Packet)
		}
	}
	return 0
}

// wire is what tells from the segments which timers run.
type wire struct {
	// out are the ends of each host's segments that are not acknowledged.
	out [2][]tcp.Seq
	// fresh: there is one more since the line began.
	fresh bool
	// opening: a host's SYN has no answer. again: such a host has sent a RST.
	opening [2]bool
	again   bool
}

// soon reports whether a tail is to be probed for, the last of several segments
// sent again after two round trips and two jiffies (tcp_output.c,
// tcp_schedule_loss_probe), or a SYN sent again after two (tcp_input.c,
// tcp_rcv_synsent_state_process).
func (w *wire) soon() bool { return w.fresh && max(len(w.out[0]), len(w.out[1])) > 1 || w.again }

func (w *wire) see(p scenario.Packet) {
	from, seg := p.From, p.Segment
	if seg.Has(tcp.RST) || seg.Has(tcp.SYN) {
		w.again = w.again || seg.Has(tcp.RST) && w.opening[from]
		w.out[from] = nil
		if !p.Lost {
			w.out[1-from] = nil
		}
		switch {
		case seg.Has(tcp.SYN | tcp.ACK):
			w.opening = [2]bool{}
		case seg.Has(tcp.SYN):
			w.opening[from] = true
		}
		return
	}
	if seg.SeqLen() > 0 && !slices.Contains(w.out[from], seg.End()) {
		w.out[from] = append(w.out[from], seg.End())
		w.fresh = true
	}
	if seg.Has(tcp.ACK) && !p.Lost {
		w.out[1-from] = slices.DeleteFunc(w.out[1-from], func(end tcp.Seq) bool { return !end.After(seg.Ack) })
	}
}

// tied reports whether both hosts sent again at the same moment, so that their
// segments crossed. On a kernel a call takes time: one host is ahead, the other
// hears of it, and may do something else.
func tied(r *scenario.Result) bool {
	sent := [2]map[tcp.Seq]bool{{}, {}}
	last := [2]time.Duration{-time.Hour, -time.Hour}
	for _, e := range r.Events {
		p := e.Packet
		if e.Kind != scenario.Sent || p.Segment.SeqLen() == 0 {
			continue
		}
		if end := p.Segment.End(); !sent[p.From][end] {
			sent[p.From][end] = true
			continue
		}
		if last[p.From] = p.Sent; (p.Sent - last[1-p.From]).Abs() < time.Millisecond {
			return true
		}
	}
	return false
}

// visible leaves out what sock_diag does not show: a connection that is over has
// no queues there, nor a timer.
func visible(w *scenario.HostWant) {
	if w.State == tcp.Closed || w.State == tcp.Listen || w.State == tcp.TimeWait {
		w.RecvQ, w.SendQ = -1, -1
	}
	if w.State == tcp.Closed || w.State == tcp.Listen {
		w.Timer = scenario.TimerUnknown
	}
}
