package report

import (
	"bufio"
	"io"
	"strconv"
	"strings"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/remedy"
	"github.com/closewait/closewait/tcp"
)

// plan is a remedy plan being written, or what came of one.
type plan struct {
	sheet
	plan  *remedy.Plan
	clock clock
}

// Plan writes what would be done about stuck connections, and why, and what
// would not. The error is that of w.
func Plan(w io.Writer, p *remedy.Plan, s Style) error {
	out := bufio.NewWriterSize(w, 64<<10)
	t := &plan{sheet{out, s}, p, s.clock(p.TakenAt)}
	t.header(paragraph{}.add(strong, "dry run: nothing was changed"))
	for i := range p.Parts {
		t.blank()
		t.part(&p.Parts[i])
	}
	t.rest()
	if n := p.Acts(); n > 0 {
		t.blank()
		t.write(nil, 0, say("To do this ("+count(n, "act", "acts")+"), say the same with ").add(note, "--apply").say("."))
	}
	t.unseen()
	return out.Flush()
}

func (t *plan) header(what paragraph) {
	p := paragraph{}.add(strong, firstOf(shorten(t.plan.Host.Name, nameColumns), "this host")).say(" · ", t.clock.at(t.plan.TakenAt))
	if t.plan.IntervalS > 0 {
		p = p.say(" · two looks ", span(seconds(t.plan.IntervalS)), " apart")
	}
	t.write(nil, 0, append(p.say(" · "), what...))
}

// rest says what is not in the plan.
func (t *plan) rest() {
	p := t.plan
	switch {
	case len(p.Parts) > 0 && p.NotStuck > 0:
		t.blank()
		t.write(nil, 0, paragraph{}.add(faint, "left alone:").say(" ", count(p.NotStuck, "half-closed connection that is", "half-closed connections that are"), " not stuck."))
	case len(p.Parts) > 0:
	case t.style.Filter != "" && p.NotStuck == 0:
		t.blank()
		t.write(nil, 0, say("Nothing half-closed matches ").add(strong, t.style.Filter).say("."))
	default:
		t.blank()
		text := paragraph{}.add(good, "Nothing is stuck")
		if t.style.Filter != "" {
			text = text.say(" of what matches ", t.style.Filter)
		}
		if p.NotStuck > 0 {
			text = text.say(" (", count(p.NotStuck, "half-closed connection is", "half-closed connections are"), " in use, young or ending by themselves)")
		}
		t.write(nil, 0, text.say(": there is nothing to fix."))
	}
}

func (t *plan) unseen() {
	if len(t.plan.Limits) == 0 {
		return
	}
	t.blank()
	t.write(nil, 0, paragraph{}.add(warn, "could not see:"))
	for _, l := range t.plan.Limits {
		t.write(say("  - "), 4, say(l))
	}
}

// planColumns is where the text of a part begins: after the longest degree.
const planColumns = 11

func (t *plan) part(p *remedy.Part) {
	word, tone := strings.ToUpper(string(p.Degree)), note
	switch p.Degree {
	case "":
		word, tone = "NOTHING", faint
	case remedy.Destroy:
		tone = warn
	}
	t.write(paragraph{}.add(tone, word), planColumns, t.subject(p))
	t.row("why", say(p.Why))
	t.row("when", say(p.When))
	t.frees(p.Frees)
	for i, o := range p.Others {
		label := ""
		if i == 0 {
			label = "else"
		}
		text := paragraph{}.add(strong, string(o.Degree))
		if !o.Can {
			text = text.say(" not: ")
		} else {
			text = text.say(": ")
		}
		t.row(label, text.say(o.Text))
	}
	t.row("instead", say(p.Instead))
	if t.style.All {
		for i := range p.Acts {
			t.put("  " + clean(actName(&p.Acts[i])) + "\n")
		}
	}
}

func (t *plan) frees(f *remedy.Frees) {
	if f == nil {
		return
	}
	label := "frees"
	for _, x := range []struct{ what, how string }{
		{"port", f.Port}, {"memory", f.Memory}, {"descriptor", f.Descriptor}, {"peer", f.Peer},
	} {
		t.row(label, paragraph{}.add(strong, x.what).say(": ", x.how))
		label = ""
	}
}

func (t *plan) row(label string, p paragraph) {
	if len(p) == 0 {
		return
	}
	t.write(say("  ").add(faint, label), planColumns+2, p)
}

// subject says whose connections a part is about.
func (t *plan) subject(p *remedy.Part) paragraph {
	s := &p.Subject
	f := diagnose.Finding{Cause: s.Cause, State: s.State, Direction: s.Direction, Local: s.Local, Remote: s.Remote, Count: p.Count, Owner: s.Owner, NetNS: s.NetNS}
	text := paragraph{}
	switch {
	case p.Degree == remedy.Room:
		text = text.say("for ", count(p.Count, "process", "processes"), " of ")
	case s.Cause == diagnose.Masked:
		text = text.add(strong, count(p.Count, "dead descriptor", "dead descriptors")).say(place(&f), " of ")
	default:
		text = text.add(strong, connections(&f)).say(" in "+s.State.String(), place(&f), " of ")
	}
	if s.Owner == nil {
		text = text.say("nobody that could be seen")
	} else {
		text = append(text, subject(&f)...)
	}
	return text.say(" · ", string(s.Cause), " · ", string(s.Confidence), " · ", s.ID)
}

// actName names what an act is about, one line for grep.
func actName(a *remedy.Act) string {
	if p := a.Process; p != nil {
		return string(a.Degree) + "  pid " + strconv.Itoa(p.PID) + "  " + number(int(p.Soft)) + " → " + number(int(p.To))
	}
	s := a.Socket
	flow := tcp.Flow{Local: s.Local, Remote: s.Remote}.Unmapped()
	text := string(a.Degree) + "  " + flow.Local.String() + "  " + flow.Remote.String() + "  cookie " + s.Name
	for _, h := range s.Holders {
		text += "  " + strconv.Itoa(h.PID) + "/" + strconv.Itoa(h.FD)
	}
	return text
}
