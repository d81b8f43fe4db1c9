package gate

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/report"
)

// Text writes o for a reader: the verdict, each finding, how it was watched and
// what that can not see, and what the exit status says. The error is that of w.
func (o *Outcome) Text(w io.Writer, style report.Style) error {
	p := &page{w: w, style: style}
	p.paragraph("closewait run:", len("closewait run: "), o.verdict())
	if len(o.Report.Findings) > 0 {
		p.line("")
		p.findings(o.Report)
		p.line("")
	}
	for _, s := range o.Survivors {
		p.say(fmt.Sprintf("process %d outlived the program and still runs%s: see  closewait --pid %d", s.PID, holds(s.HalfClosed), s.PID))
	}
	p.say("watched by " + o.Witness.Name + ": " + o.looks() + ". It does not see " + strings.Join(o.Witness.Blind, "; ") + ".")
	if at := o.Witness.SensorStoppedAt; at != nil {
		p.say("somebody stopped the sensor at " + at.Local().Format("15:04:05") + ": this run held on to it until its end, and missed nothing by that.")
	}
	for _, l := range o.Report.Limits {
		p.say("could not see: " + l)
	}
	p.say(o.statusText())
	return p.err
}

// page is text being written; the first error is kept.
type page struct {
	w     io.Writer
	style report.Style
	err   error
}

func (p *page) paragraph(lead string, indent int, words string) {
	if p.err == nil {
		p.err = report.Paragraph(p.w, lead, indent, words, p.style)
	}
}

func (p *page) say(words string) { p.paragraph("", 2, words) }

func (p *page) line(text string) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.w, text)
	}
}

// findings leaves out what holds only while a program runs.
func (p *page) findings(r *diagnose.Report) {
	if p.err == nil {
		p.err = report.Findings(p.w, past(r), p.style)
	}
}

// past is a report as it is told afterwards: without outlooks, and without
// commands to try on processes that are no more.
func past(r *diagnose.Report) *diagnose.Report {
	c := *r
	c.Findings = append([]diagnose.Finding(nil), r.Findings...)
	for i := range c.Findings {
		f := &c.Findings[i]
		f.Outlook, f.Outlooks, f.Advice.Now, f.Sockets = diagnose.Outlook{}, nil, nil, nil
	}
	return &c
}

// verdict is the headline.
func (o *Outcome) verdict() string {
	n := o.Stuck + o.Died
	switch {
	case n == 0 && o.Unseen:
		return "no connection that could be seen was left half-closed; not all could be seen (below)."
	case n == 0:
		return "no connection was left half-closed."
	}
	var why []string
	if o.Stuck > 0 {
		why = append(why, fmt.Sprintf("%d unused for longer than %v", o.Stuck, o.Grace))
	}
	if o.Died > 0 {
		why = append(why, fmt.Sprintf("%d ended only by the exit of their process%s", o.Died, sure(o.Died, o.Inferred)))
	}
	text := fmt.Sprintf("%s half-closed: %s", connectionsWere(n), strings.Join(why, ", "))
	switch {
	case o.Leaked():
		return fmt.Sprintf("LEAKED. %s. %d allowed.", text, o.MaxStuck)
	default:
		return fmt.Sprintf("passed. %s. %d allowed.", text, o.MaxStuck)
	}
}

// sure says what a count of the dead rests on.
func sure(died, inferred int) string {
	switch inferred {
	case 0:
		return " (seen)"
	case died:
		return " (likely: they were there at the last look before)"
	}
	return fmt.Sprintf(" (%d of them likely: they were there at the last look before)", inferred)
}

func connectionsWere(n int) string {
	if n == 1 {
		return "1 connection was left"
	}
	return strconv.Itoa(n) + " connections were left"
}

func holds(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return ", with 1 half-closed connection"
	}
	return fmt.Sprintf(", with %d half-closed connections", n)
}

func (o *Outcome) looks() string {
	gap := time.Duration(o.Witness.LongestGapMS * float64(time.Millisecond))
	text := fmt.Sprintf("%d looks in %v, at most %v apart", o.Witness.Looks, brief(o.Took), brief(gap))
	switch n := o.Witness.Traced; n {
	case 0:
		return text
	case 1:
		return text + "; 1 process was traced to its exit"
	default:
		return fmt.Sprintf("%s; %d processes were traced to their exit", text, n)
	}
}

func brief(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Second)
}

// statusText says whose the exit status is, and why.
func (o *Outcome) statusText() string {
	own, leaked := o.ProgramStatus(), ""
	if o.Leaked() {
		leaked = "; it leaked as well"
	}
	switch {
	case o.Exit.Signal != "":
		return fmt.Sprintf("exit status %d: the program was ended by %s%s.", o.Status(), o.Exit.Signal, leaked)
	case own != 0:
		return fmt.Sprintf("exit status %d: the program's own%s.", o.Status(), leaked)
	case o.Leaked():
		return fmt.Sprintf("exit status %d: the program itself succeeded, but it leaked.", o.Status())
	}
	if o.Unseen {
		return "exit status 0: the program's own, and no leak was seen."
	}
	return "exit status 0: the program's own, and it did not leak."
}
