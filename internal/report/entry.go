package report

import (
	"strconv"
	"strings"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
)

// labelColumns is where the text of an entry begins.
const labelColumns = 10

// entry writes one finding in full.
func (t *text) entry(f *diagnose.Finding) {
	t.write(paragraph{}.add(severityTone(f), severityWord(f)), labelColumns, sentence(f))
	t.row("what", say(f.Advice.Meaning), t.verdict(f))
	t.row("seen", seen(f), nil)
	t.row("who", t.who(f), nil)
	t.row("code", code(f), nil)
	t.row("since", t.since(f), nil)
	t.row("ends", t.ends(f), nil)
	t.row("limit", t.limit(f), nil)
	t.row("with", t.with(f), nil)
	t.row("fix", say(f.Advice.Fix), nil)
	own, others := commands(f)
	t.commands("now", others)
	t.commands("more", own)
	if len(f.Sockets) > 0 {
		t.sockets(f.Sockets)
	}
}

// row writes one labelled row of an entry; an empty one is left out.
func (t *text) row(label string, p, tag paragraph) {
	if len(p) == 0 {
		return
	}
	lead := say("  ").add(faint, label)
	// The tag stands beside the text only while enough room is left for both.
	if len(tag) > 0 && t.style.width()-labelColumns-tag.columns() < 40 {
		t.writeTagged(lead, labelColumns, p, nil)
		t.write(say("  ").add(faint, "cause"), labelColumns, tag)
		return
	}
	t.writeTagged(lead, labelColumns, p, tag)
}

func severityWord(f *diagnose.Finding) string {
	if !f.Stuck {
		return "OK"
	}
	return strings.ToUpper(shorten(string(f.Severity), labelColumns-2))
}

func severityTone(f *diagnose.Finding) tone {
	switch {
	case !f.Stuck:
		return good
	case f.Severity == diagnose.Critical:
		return bad
	case f.Severity == diagnose.Warning:
		return warn
	}
	return note
}

// seen are the facts that the finding rests on.
func seen(f *diagnose.Finding) paragraph {
	facts := make([]string, len(f.Evidence))
	for i, e := range f.Evidence {
		facts[i] = e.Fact
	}
	return say(strings.Join(facts, "; "))
}

// verdict is the cause, and how sure it is.
func (t *text) verdict(f *diagnose.Finding) paragraph {
	sure := plain
	if f.Confidence != diagnose.Certain {
		sure = strong
	}
	return paragraph{}.add(note, string(f.Cause)).say(" · ").add(sure, string(f.Confidence))
}

// who tells the owner apart from others of its name.
func (t *text) who(f *diagnose.Finding) paragraph {
	o := f.Owner
	if o == nil {
		return nil
	}
	var parts []string
	command := firstOf(o.Cmdline, o.Exe)
	if o.Exe != "" && (command == o.Title || command == o.Comm) {
		command = o.Exe // the headline has said the rest
	}
	if command != "" {
		parts = append(parts, shorten(command, t.style.width()-labelColumns))
	}
	parts = append(parts, "uid "+strconv.FormatUint(uint64(o.UID), 10))
	if o.StartedAt != nil && !o.StartedAt.IsZero() {
		parts = append(parts, "started "+t.clock.at(*o.StartedAt))
	}
	if o.Container != "" && o.Unit != "" {
		parts = append(parts, shorten(o.Unit, nameColumns))
	}
	if len(f.AlsoHeldBy) > 0 {
		parts = append(parts, "also held by "+pidList(f.AlsoHeldBy))
	}
	return say(strings.Join(parts, " · "))
}

func firstOf(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

func pidList(pids []int) string {
	const most = 5
	var b strings.Builder
	b.WriteString("pid")
	if len(pids) > 1 {
		b.WriteByte('s')
	}
	for i, pid := range pids[:min(most, len(pids))] {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(" " + strconv.Itoa(pid))
	}
	if more := len(pids) - most; more > 0 {
		b.WriteString(" and " + number(more) + " more")
	}
	return b.String()
}

// since tells the group's age and growth.
func (t *text) since(f *diagnose.Finding) paragraph {
	p := say(t.beginning(f))
	if f.Count > 1 && f.Younger == 0 && (f.Newest.AtLeastS > 0 || f.Newest.AtMostS != nil) {
		p = p.say("; the newest ", bracket(f.Newest), " ago")
	}
	if g := growth(f, t.report.IntervalS); g != "" {
		p = p.say("; ", g)
	}
	if f.Younger > 0 {
		p = p.say("; ", number(f.Younger), " more ", t.young())
	}
	return p
}

// beginning is when the oldest member began, as exactly as it is known.
func (t *text) beginning(f *diagnose.Finding) string {
	latest := t.report.TakenAt.Add(-seconds(f.Oldest.AtLeastS))
	switch low := span(seconds(f.Oldest.AtLeastS)); {
	case f.Oldest.AtMostS == nil && f.Oldest.AtLeastS <= 0:
		return "not known"
	case f.Oldest.AtMostS == nil:
		return t.clock.at(latest) + " at the latest (" + low + " ago or more)"
	case tight(f.Oldest):
	case f.Oldest.AtLeastS <= 0:
		earliest := t.report.TakenAt.Add(-seconds(*f.Oldest.AtMostS))
		return "not before " + t.clock.at(earliest) + " (" + bracket(f.Oldest) + " ago)"
	default:
		earliest := t.report.TakenAt.Add(-seconds(*f.Oldest.AtMostS))
		return "between " + t.clock.at(earliest) + " and " + t.clock.at(latest)
	}
	if f.Since != nil {
		latest = *f.Since
	}
	return t.clock.at(latest) + " (" + bracket(f.Oldest) + " ago)"
}

// tight reports whether the two ends of a bracket say the same to a reader.
func tight(a diagnose.Age) bool {
	return a.AtMostS != nil && *a.AtMostS-a.AtLeastS <= max(2, *a.AtMostS/50)
}

// bracket formats an age: "12 s", "12 s to 3 min", "at least 12 s".
func bracket(a diagnose.Age) string {
	low := span(seconds(a.AtLeastS))
	switch {
	case a.AtMostS == nil:
		return "at least " + low
	case tight(a) || span(seconds(*a.AtMostS)) == low:
		return low
	case a.AtLeastS <= 0:
		return "at most " + span(seconds(*a.AtMostS))
	}
	return low + " to " + span(seconds(*a.AtMostS))
}

// growth says how fast the group grows, and on what the figure rests: an
// estimate is always called one.
func growth(f *diagnose.Finding, interval float64) string {
	if f.GrowthPerHour == nil {
		return ""
	}
	perHour := *f.GrowthPerHour
	word := "growing "
	if perHour < 0 {
		word = "shrinking "
	}
	switch f.GrowthBasis {
	case diagnose.TwoLooks:
		over := " in " + span(seconds(interval))
		if perHour == 0 {
			return "no growth" + over
		}
		return word + rate(perHour) + ", measured over " + span(seconds(interval))
	case diagnose.History:
		if perHour == 0 {
			return "no growth in its history"
		}
		return word + rate(perHour) + ", by its history"
	}
	if perHour == 0 {
		return "not growing, estimated from the survivors' ages"
	}
	return word + "about " + rate(perHour) + ", estimated from the survivors' ages"
}

// ends says whether and when the group goes away by itself.
func (t *text) ends(f *diagnose.Finding) paragraph {
	o := f.Outlook
	if o.Kind == "" {
		return nil
	}
	p := paragraph{}
	if o.Confidence == diagnose.Likely {
		p = p.say("likely ")
	}
	p = p.add(strong, t.ending(o))
	if o.Why != "" {
		p = p.say(": ", o.Why)
	}
	if len(o.Claims) > 0 {
		p = p.say(" (", strings.Join(o.Claims, ", "), ")")
	}
	if mix := outlookMix(f); mix != "" {
		p = p.say("; ", mix)
	}
	return p
}

func (t *text) ending(o diagnose.Outlook) string {
	switch {
	case o.Kind == diagnose.Never:
		return "never by itself"
	case o.Kind == diagnose.OnWrite:
		return "when the application next writes"
	case o.Kind == diagnose.Soon:
		return "soon"
	case o.At == nil:
		return "by itself"
	}
	when := t.clock.at(*o.At)
	if left := o.At.Sub(t.report.TakenAt); left > 0 {
		when += " (in " + span(left) + ")"
	}
	if o.Kind == diagnose.By {
		return "by " + when + " at the latest"
	}
	return "at " + when
}

// outlookMix says how many of the group end in which way, when they differ.
func outlookMix(f *diagnose.Finding) string {
	if len(f.Outlooks) < 2 {
		return ""
	}
	words := []struct {
		kind diagnose.Ending
		text string
	}{
		{diagnose.Never, "never"}, {diagnose.OnWrite, "on the next write"},
		{diagnose.By, "by a deadline"}, {diagnose.At, "at a known time"}, {diagnose.Soon, "soon"},
	}
	var parts []string
	for _, w := range words {
		if n := f.Outlooks[w.kind]; n > 0 {
			parts = append(parts, number(n)+" "+w.text)
		}
	}
	return "of all: " + strings.Join(parts, ", ")
}

// limit says what the owner runs out of, and when.
func (t *text) limit(f *diagnose.Finding) paragraph {
	e := f.Exhaustion
	if e == nil {
		return nil
	}
	p := say(resource(e)).say(": ", number(e.Used), " of ", number(e.Limit))
	switch {
	case e.Used >= e.Limit:
		return p.say(", ").add(bad, "full")
	case e.At != nil && e.At.Sub(t.report.TakenAt) > 366*24*time.Hour:
		return p.say(", full in more than a year at this pace")
	case e.At != nil:
		return p.say(", full at about ").add(strong, t.clock.about(*e.At))
	}
	return p
}

func resource(e *diagnose.Exhaustion) string {
	of := ""
	if e.Of != "" {
		of = " of " + e.Of
	}
	switch e.Resource {
	case diagnose.OpenFiles:
		return "open files" + of
	case diagnose.AcceptQueue:
		return "accept queue" + of
	case diagnose.LocalPorts:
		if e.Of != "" {
			return "local ports, " + e.Of
		}
		return "local ports"
	}
	return string(e.Resource) + of
}

// with names the findings that share a root with f.
func (t *text) with(f *diagnose.Finding) paragraph {
	const most = 4
	var parts []string
	for _, id := range f.Related {
		if g := t.byID[id]; g != nil && g != f && len(parts) < most {
			parts = append(parts, brief(g))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return say("one root with " + strings.Join(parts, "; "))
}

// brief names a finding in a few words.
func brief(f *diagnose.Finding) string {
	s := number(f.Count) + " " + string(f.Cause) + place(f)
	if f.Owner != nil {
		s += " (" + name(f.Owner) + ", " + pids(f.Owner, 1) + ")"
	}
	return s
}

// commands writes advised commands on one line if they fit, else on a line each:
// one that is broken cannot be copied.
func (t *text) commands(label string, all []string) {
	var joined paragraph
	for i, c := range all {
		if i > 0 {
			joined = joined.say(" · ")
		}
		joined = joined.add(note, c)
	}
	if joined.columns() <= t.style.width()-labelColumns {
		t.row(label, joined, nil)
		return
	}
	for _, c := range all {
		t.row(label, paragraph{}.add(note, c), nil)
		label = ""
	}
}

// commands parts the advised commands that run closewait itself from the others.
func commands(f *diagnose.Finding) (own, others []string) {
	for _, c := range f.Advice.Now {
		switch {
		case !strings.HasPrefix(c, "closewait "):
			others = append(others, c)
		case len(f.Sockets) > 0 && strings.Contains(c, " --sockets"):
			// It has just been done.
		default:
			own = append(own, c)
		}
	}
	return own, others
}
