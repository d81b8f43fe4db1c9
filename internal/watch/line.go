package watch

import (
	"strconv"
	"strings"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/report"
)

// Line writes an event on one line, in the order: time, what, which connection,
// whose, and more. Looks know a time no better than to their interval: then it
// begins with "~". Every text of foreign origin is made safe to print.
func Line(e *Event, loc *time.Location) string {
	var b strings.Builder
	b.WriteString(clockTime(e, loc))
	b.WriteString("  " + string(e.Kind) + strings.Repeat(" ", max(0, len(FINReceived)-len(e.Kind))))
	if e.Local != "" {
		b.WriteString("  " + ends(e))
	}
	if e.Owner != nil {
		b.WriteString("  " + owner(e.Owner))
	}
	if text := more(e); text != "" {
		b.WriteString("  " + report.Shorten(text, 1000))
	}
	return b.String()
}

// Brief is Line for a narrow screen: to the second, with the peer or the service
// instead of both ends, and without what is the same for all of a kind.
func Brief(e *Event, loc *time.Location) string {
	if loc == nil {
		loc = time.UTC
	}
	var b strings.Builder
	b.WriteString(e.At.In(loc).Format("15:04:05"))
	b.WriteString(" " + string(e.Kind) + strings.Repeat(" ", max(0, len(FINReceived)-len(e.Kind))))
	if e.Owner != nil {
		b.WriteString(" " + report.Shorten(firstOf(e.Owner.Name, "pid"), nameColumns/2) + " " + strconv.Itoa(e.Owner.PID))
	}
	if end := firstOf(e.Remote, e.Local); end != "" {
		b.WriteString(" ↔ " + end)
	}
	if text := more(e); text != "" {
		if e.Owner != nil || e.Local != "" {
			b.WriteString(":")
		}
		b.WriteString(" " + report.Shorten(text, 1000))
	}
	return b.String()
}

func clockTime(e *Event, loc *time.Location) string {
	if loc == nil {
		loc = time.UTC
	}
	at := e.At.In(loc).Format("15:04:05.000")
	// A millisecond is what the kernel's own times are rounded to.
	if e.WithinS > 0.0015 {
		return "~" + at
	}
	return " " + at
}

func ends(e *Event) string {
	if e.Remote == "" {
		return e.Local
	}
	return e.Local + " ↔ " + e.Remote
}

// nameColumns bounds a program's name: a title is as long as a process likes.
const nameColumns = 40

func owner(o *Owner) string {
	pid := "pid " + strconv.Itoa(o.PID)
	if o.Name == "" {
		return pid
	}
	return report.Shorten(o.Name, nameColumns) + " (" + pid + ")"
}

// more is what there is to say beside who and which.
func more(e *Event) string {
	var parts []string
	add := func(s string) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	likely := ""
	if e.Confidence == "likely" {
		likely = " (likely)"
	}
	switch e.Kind {
	case Began:
		add("watching by " + map[Origin]string{FromLooks: "looks", FromSensor: "looks and the sensor"}[e.Source])
	case Stuck:
		add(string(e.Cause))
	case Ended:
		add(endWords[e.End] + likely)
	case Masked:
		add("the connection is gone, the descriptor stays open")
		add(endWords[e.End] + likely)
	case Released:
		add("the descriptor that had stayed is closed")
	case ZeroRead:
		add("a read returned zero" + likely)
	case Dropped:
		add(strconv.FormatUint(e.Count, 10) + " events lost")
	case FINReceived:
		add(e.State.String())
	case FINSent:
		add("this side has ended its half: " + e.State.String())
	}
	if e.HalfClosed != nil {
		add("half-closed for " + report.Bracket(*e.HalfClosed))
	}
	add(e.Note)
	if named(e.OpenedBy) && (e.Kind == Stuck || e.Kind == FINReceived) {
		add("opened by " + in(e.OpenedBy))
	}
	if named(e.ZeroBy) && e.Kind == ZeroRead {
		add("in " + in(e.ZeroBy))
	}
	return strings.Join(parts, "; ")
}

var endWords = map[observe.End]string{
	observe.EndClosed:        "closed by the application",
	observe.EndExited:        "its process died",
	observe.EndReset:         "a RST was received",
	observe.EndKeepalive:     "keepalive probes went unanswered",
	observe.EndRetransmitted: "the retransmission limit was reached",
	observe.EndDestroyed:     "it was destroyed (as ss -K does)",
	observe.EndListener:      "its listener was closed",
	observe.EndPeer:          "the peer closed its half too",
	observe.EndOther:         "it ended in another way",
	EndUnknown:               "how is not known without the sensor",
}

// FrameLine is a frame on one line: "function (file:line)", or "module+0x1f". It is
// not safe to print yet.
func FrameLine(f *observe.Frame) string {
	s := f.Function
	switch {
	case s == "" && f.Module != "":
		s = f.Module + "+0x" + strconv.FormatUint(f.Offset, 16)
	case s == "":
		s = "?"
	}
	if f.File != "" {
		s += " (" + f.File
		if f.Line > 0 {
			s += ":" + strconv.Itoa(f.Line)
		}
		s += ")"
	}
	return s
}

// named reports whether the frame that says most has a name: a number says little
// in a line.
func named(frames []observe.Frame) bool {
	return len(frames) > 0 && frames[len(frames)-1].Function != ""
}

// in names the frame that says most: the application's, which is the outer one.
func in(frames []observe.Frame) string { return FrameLine(&frames[len(frames)-1]) }
