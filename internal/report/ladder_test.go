package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/closewait/closewait/tcp"
)

// The hand-made ladders of the golden tests.

func state(s tcp.State) Remark { return Remark{State: s} }

func segment(flags tcp.Flags, seq, ack tcp.Seq, n uint32) tcp.Segment {
	return tcp.Segment{Flags: flags, Seq: seq, Ack: ack, Len: n}
}

const (
	ms    = time.Millisecond
	start = tcp.Seq(1<<32 - 2) // relative numbers cross the wrap
	other = tcp.Seq(7000)
)

// maskLadder is claim C8 with its RST lost, time and again.
func maskLadder() *Ladder {
	l := &Ladder{
		Title: "C13. Mask 1, every RST lost", Description: "Local retransmits until it gives up.",
		Hosts: [2]string{"local", "remote"},
		Rungs: []Rung{
			{Beside: [2][]Remark{1: {{Text: "listens → ok"}, state(tcp.Listen)}}},
			{Beside: [2][]Remark{{{Text: "connects → ok"}, state(tcp.SynSent)}, {state(tcp.SynReceived)}},
				Arrow: &Arrow{Segment: segment(tcp.SYN, start, 0, 0), Arrives: ms}},
			{At: ms, Beside: [2][]Remark{{state(tcp.Established)}},
				Arrow: &Arrow{From: 1, Segment: segment(tcp.SYN|tcp.ACK, other, start+1, 0), Arrives: 2 * ms}},
			{At: 2 * ms, Beside: [2][]Remark{1: {state(tcp.Established)}},
				Arrow: &Arrow{Segment: segment(tcp.ACK, start+1, other+1, 0), Arrives: 3 * ms}},
			{At: 1500 * ms, Beside: [2][]Remark{{state(tcp.CloseWait)}, {{Text: "closes → ok"}, state(tcp.FinWait1)}},
				Arrow: &Arrow{From: 1, Segment: segment(tcp.FIN|tcp.ACK, other+1, start+1, 0), Arrives: 1501 * ms}},
			{At: 1501 * ms, Beside: [2][]Remark{1: {state(tcp.FinWait2)}},
				Arrow: &Arrow{Segment: segment(tcp.ACK, start+1, other+2, 0), Arrives: 1502 * ms}},
			{At: 2 * time.Second, Note: "the link loses every RST from remote"},
			{At: 2 * time.Second, Beside: [2][]Remark{{{Text: "writes 10 → 10"}}, {state(tcp.Closed)}},
				Arrow: &Arrow{Segment: segment(tcp.PSH|tcp.ACK, start+1, other+2, 10), Arrives: 2001 * ms}},
		},
	}
	at, step := 2*time.Second, 200*ms
	for i := range 16 {
		if i > 0 {
			l.Rungs = append(l.Rungs, Rung{At: at, Arrow: &Arrow{Segment: segment(tcp.PSH|tcp.ACK, start+1, other+2, 10), Arrives: at + ms}})
		}
		l.Rungs = append(l.Rungs, Rung{At: at + ms, Arrow: &Arrow{From: 1, Segment: segment(tcp.RST, other+2, 0, 0), Lost: true}})
		at += step
		step = min(2*step, 2*time.Minute)
	}
	return end(l, at)
}

func end(l *Ladder, at time.Duration) *Ladder {
	l.Rungs = append(l.Rungs,
		Rung{At: at, Beside: [2][]Remark{{state(tcp.Closed)}}},
		Rung{At: at, Beside: [2][]Remark{{{Text: "takes error → ETIMEDOUT"}}}},
		Rung{At: at, Note: "✗ line 21: expect local CLOSE_WAIT held with recv-q 0 and no timer; remote FIN_WAIT_2 held by nobody", Bad: true})
	return l
}

// crossingLadder is a capture without its beginning: both close at once, and
// one FIN is overtaken.
func crossingLadder() *Ladder {
	return &Ladder{
		Title: "Simultaneous close", Description: "Both FINs are under way at once.", Hosts: [2]string{"10.0.0.1:443", "10.0.0.2:50312"},
		Rungs: []Rung{
			{Beside: [2][]Remark{{{Text: "closes → ok"}, state(tcp.FinWait1)}}, Arrow: &Arrow{Segment: segment(tcp.FIN|tcp.ACK, 500, 900, 0), Arrives: 20 * ms}},
			{At: 5 * ms, Beside: [2][]Remark{1: {{Text: "closes → ok"}, state(tcp.FinWait1)}}, Arrow: &Arrow{From: 1, Segment: segment(tcp.FIN|tcp.ACK, 900, 500, 0), Arrives: 25 * ms, Copies: 1}},
			{At: 20 * ms, Beside: [2][]Remark{1: {state(tcp.Closing)}}, Arrow: &Arrow{From: 1, Segment: segment(tcp.ACK, 901, 501, 0), Arrives: 40 * ms}},
			{At: 25 * ms, Beside: [2][]Remark{{state(tcp.Closing)}}, Arrow: &Arrow{Segment: segment(tcp.ACK, 501, 901, 0), Arrives: 45 * ms}},
			{At: 40 * ms, Beside: [2][]Remark{{state(tcp.TimeWait)}}},
			{At: 45 * ms, Beside: [2][]Remark{1: {state(tcp.TimeWait)}}},
		},
	}
}

// hostileLadder has in every text what must not reach a terminal or a page.
func hostileLadder() *Ladder {
	const bad = "</text><script>alert(1)</script>\x1b[31m\u202e & \"quoted\" 'too' \x00\xff end"
	long := strings.Repeat("very", 60)
	return &Ladder{
		Title: bad + long, Description: bad, Hosts: [2]string{bad, long},
		Rungs: []Rung{
			{At: -time.Second, Note: bad + " " + long},
			{At: 1 << 62, Beside: [2][]Remark{{{Text: bad}, {State: 77}}, {{Text: long}}}, Arrow: &Arrow{From: 9}},
			{At: 1 << 62, Arrow: &Arrow{From: 1, Segment: segment(0xff, 1<<31, 1<<30, 1<<32-1), Lost: true, Copies: 1 << 40}},
		},
	}
}

var ladders = map[string]func() *Ladder{
	"mask": maskLadder, "crossing": crossingLadder, "hostile": hostileLadder, "empty": func() *Ladder { return &Ladder{} },
}

func drawnText(t *testing.T, l *Ladder, s Style) string {
	t.Helper()
	var b bytes.Buffer
	if err := LadderText(&b, l, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLadderGolden(t *testing.T) {
	for name, sample := range ladders {
		t.Run(name, func(t *testing.T) {
			golden(t, "ladder/"+name+".txt", []byte(drawnText(t, sample(), Style{})))
			golden(t, "ladder/"+name+".60.txt", []byte(drawnText(t, sample(), Style{Width: 60})))
			var b bytes.Buffer
			if err := LadderSVG(&b, sample()); err != nil {
				t.Fatal(err)
			}
			golden(t, "ladder/"+name+".svg", b.Bytes())
		})
	}
	golden(t, "ladder/mask.color.txt", []byte(drawnText(t, maskLadder(), Style{Color: true})))
}

// TestLadderFitsAndCannotSteer: no line is too wide, and nothing but text
// reaches a terminal.
func TestLadderFitsAndCannotSteer(t *testing.T) {
	for name, sample := range ladders {
		for _, width := range []int{60, 80, 100, 140} {
			out := drawnText(t, sample(), Style{Width: width})
			for i, line := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
				if n := columns(line); n > width {
					t.Errorf("%s: line %d has %d columns of %d: %s", name, i+1, n, width, line)
				}
				if clean(line) != line {
					t.Errorf("%s: line %d is not clean: %q", name, i+1, line)
				}
			}
			colored := drawnText(t, sample(), Style{Width: width, Color: true})
			if ansi.Strip(colored) != out {
				t.Errorf("%s: colour changes the text", name)
			}
		}
	}
}

// TestLadderSVGIsWellFormed, tells its title and description, and holds nothing
// that a page would run or fetch.
func TestLadderSVGIsWellFormed(t *testing.T) {
	for name, sample := range ladders {
		var b bytes.Buffer
		if err := LadderSVG(&b, sample()); err != nil {
			t.Fatal(err)
		}
		var names []string
		dec := xml.NewDecoder(&b)
		for {
			token, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			start, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			names = append(names, start.Name.Local)
			for _, a := range start.Attr {
				if a.Name.Local == "href" || strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "id" {
					t.Errorf("%s: attribute %s", name, a.Name.Local)
				}
			}
		}
		if len(names) < 4 || names[0] != "svg" || names[1] != "title" || names[2] != "desc" || names[3] != "style" {
			t.Errorf("%s begins with %v", name, names)
		}
		for _, n := range names {
			if !slices.Contains([]string{"svg", "title", "desc", "style", "rect", "text", "path"}, n) {
				t.Errorf("%s: element %s", name, n)
			}
		}
	}
}

func TestFoldKeepsFirstAndLastRound(t *testing.T) {
	ack := func(at time.Duration, from int) Rung {
		return Rung{At: at, Arrow: &Arrow{From: from, Segment: segment(tcp.ACK, 1, 1, 0)}}
	}
	var all []Rung
	for i := range 7 {
		all = append(all, ack(time.Duration(2*i), 0), ack(time.Duration(2*i+1), 1))
	}
	got := fold(append(all, Rung{At: 99, Note: "end"}))
	if len(got) != 6 || got[0].At != 0 || got[3].At != 12 || got[4].At != 13 || got[5].Note != "end" {
		t.Fatalf("folded to %+v", got)
	}
	if want := "⋮ the same 2 segments 5 times more, until 0s"; got[2].Note != want {
		t.Errorf("note %q, want %q", got[2].Note, want)
	}
	if got := fold(all[:6]); len(got) != 6 {
		t.Errorf("three rounds are folded to %d rungs", len(got))
	}
}
