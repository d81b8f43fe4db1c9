package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/closewait/closewait/tcp"
)

// Ladder is a sequence diagram: what passed between two hosts and what each of
// them did, in the order of time. It comes from the model, from a live kernel
// or from a saved capture; whoever makes one fills in what is known.
type Ladder struct {
	Title string
	// Description is what a reader who can not see the picture is told.
	Description string
	Hosts       [2]string
	Rungs       []Rung
}

// Rung is one moment.
type Rung struct {
	At time.Duration
	// Beside is what happened at each host: calls, changes of state.
	Beside [2][]Remark
	// Arrow is a segment sent at this moment; nil is none.
	Arrow *Arrow
	// Note concerns both hosts: the link changed, time went by. Bad: it tells of
	// something wrong.
	Note string
	Bad  bool
}

// Remark is a word beside a host's line.
type Remark struct {
	Text string
	// State, where not 0, is the state that the connection is in from here on;
	// Text is then not needed.
	State tcp.State
}

// Arrow is a segment on the wire. Its numbers are as sent; they are shown from
// each host's first one on.
type Arrow struct {
	From    int // 0 or 1
	Segment tcp.Segment
	// Arrives is when; 0 is unknown.
	Arrives time.Duration
	Lost    bool
	// Copies: how many more of it the link made.
	Copies int
	// Bare: that it was sent is known, and its numbers are not.
	Bare bool
}

// text is what the remark says.
func (r Remark) text() string {
	if r.State != 0 {
		return r.State.String()
	}
	return r.Text
}

// rungs are the ladder's with hostile input made harmless and long repetition
// folded.
func (l *Ladder) rungs() []Rung {
	safe := make([]Rung, len(l.Rungs))
	copy(safe, l.Rungs)
	for i := range safe {
		if a := safe[i].Arrow; a != nil && a.From != 0 && a.From != 1 {
			safe[i].Arrow = nil
		}
	}
	return fold(safe)
}

// labels are what stands on the arrows, by the index of their rungs. What would
// be wider than most columns is said without the numbers.
func labels(rungs []Rung, most int) []string {
	var first [2]tcp.Seq
	var known [2]bool
	out := make([]string, len(rungs))
	for i := range rungs {
		a := rungs[i].Arrow
		if a == nil {
			continue
		}
		s := a.Segment
		if a.Bare {
			out[i] = a.brief()
			continue
		}
		// A RST has another host's idea of the number, if it is an answer.
		if !known[a.From] && !s.Has(tcp.RST) || s.Has(tcp.SYN) {
			first[a.From], known[a.From] = s.Seq, true
		}
		if peer := 1 - a.From; !known[peer] && s.Has(tcp.ACK) && !s.Has(tcp.SYN) {
			first[peer], known[peer] = s.Ack, true
		}
		late := ""
		if d := overtaken(rungs, i); d > 0 {
			late = " (+" + elapsed(d) + ")"
		}
		if out[i] = a.label(first) + late; columns(out[i]) > most {
			out[i] = a.brief() + late
		}
	}
	return out
}

// label says flags, numbers and length: "PSH|ACK seq 1 len 10 ack 1".
func (a *Arrow) label(first [2]tcp.Seq) string {
	s := a.Segment
	var b strings.Builder
	fmt.Fprintf(&b, "%s seq %d", s.Flags, s.Seq.From(first[a.From]))
	if s.Len > 0 {
		b.WriteString(" len " + strconv.FormatUint(uint64(s.Len), 10))
	}
	if s.Has(tcp.ACK) {
		fmt.Fprintf(&b, " ack %d", s.Ack.From(first[1-a.From]))
	}
	if a.Copies > 0 {
		fmt.Fprintf(&b, " ×%d", a.Copies+1)
	}
	return b.String()
}

// brief is label without the numbers: "PSH|ACK len 10".
func (a *Arrow) brief() string {
	s := a.Segment.Flags.String()
	if a.Segment.Len > 0 {
		s += " len " + strconv.FormatUint(uint64(a.Segment.Len), 10)
	}
	if a.Copies > 0 {
		s += " ×" + strconv.Itoa(a.Copies+1)
	}
	return s
}

// overtaken returns how long a segment was under way, if another was sent
// meanwhile.
func overtaken(rungs []Rung, i int) time.Duration {
	a := rungs[i].Arrow
	for _, later := range rungs[i+1:] {
		if a.Lost || later.At >= a.Arrives {
			return 0
		}
		if later.Arrow != nil {
			return a.Arrives - rungs[i].At
		}
	}
	return 0
}

// Folding: a repetition is what up to foldPeriod rungs with nothing but arrows
// do foldTimes or more.
const (
	foldPeriod = 4
	foldTimes  = 4
)

// fold replaces long repetition by its first and last round, and a note.
func fold(rungs []Rung) []Rung {
	var out []Rung
	for i := 0; i < len(rungs); {
		period, times := repetition(rungs[i:])
		if times < foldTimes {
			out = append(out, rungs[i])
			i++
			continue
		}
		last := i + period*(times-1)
		out = append(out, rungs[i:i+period]...)
		out = append(out, Rung{At: rungs[i+period].At, Note: folded(period, times-2, rungs[last-1].At)})
		out = append(out, rungs[last:last+period]...)
		i = last + period
	}
	return out
}

func folded(period, times int, until time.Duration) string {
	what := "the same"
	if period > 1 {
		what = fmt.Sprintf("the same %d segments", period)
	}
	return fmt.Sprintf("⋮ %s %d times more, until %s", what, times, elapsed(until))
}

// repetition finds what repeats at the beginning: how many rungs, how often.
func repetition(rungs []Rung) (period, times int) {
	for p := 1; p <= foldPeriod; p++ {
		n := p
		for n < len(rungs) && alike(rungs[n], rungs[n-p]) {
			n++
		}
		if p > len(rungs) || !alike(rungs[0], rungs[0]) {
			return 0, 0
		}
		if n/p >= foldTimes {
			return p, n / p
		}
	}
	return 0, 0
}

// alike reports whether two rungs show the same segment and nothing else.
func alike(a, b Rung) bool {
	bare := func(r Rung) bool {
		return r.Arrow != nil && r.Note == "" && len(r.Beside[0]) == 0 && len(r.Beside[1]) == 0
	}
	return bare(a) && bare(b) && a.Arrow.From == b.Arrow.From && a.Arrow.Segment == b.Arrow.Segment &&
		a.Arrow.Lost == b.Arrow.Lost && a.Arrow.Copies == b.Arrow.Copies
}

// elapsed writes a point of the ladder's time: "0s", "1ms", "15m24.6s".
func elapsed(d time.Duration) string {
	unit := time.Millisecond
	switch {
	case d >= 100*time.Hour:
		unit = time.Second
	case d < time.Millisecond:
		unit = time.Microsecond
	}
	s := d.Round(unit).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
