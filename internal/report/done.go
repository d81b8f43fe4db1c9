package report

import (
	"bufio"
	"io"
	"slices"
	"strconv"

	"github.com/closewait/closewait/internal/remedy"
)

// outcomeNames are the outcomes as counted, in the order of telling.
var outcomeNames = []struct {
	outcome   remedy.Outcome
	one, many string
	tone      tone
}{
	{remedy.DidEnd, "has ended", "have ended", good},
	{remedy.Raised, "limit was raised", "limits were raised", good},
	{remedy.StillThere, "is still there", "are still there", warn},
	{remedy.WasGone, "was already gone", "were already gone", plain},
	{remedy.AlreadySo, "was so already", "were so already", plain},
	{remedy.Refused, "was refused", "were refused", bad},
	{remedy.NotReached, "was not reached", "were not reached", warn},
}

// mostOutcomes is how many connections are shown one by one unless all are asked for.
const mostOutcomes = 10

// Done writes what came of a plan, connection by connection, and what stays. The
// error is that of w.
func Done(w io.Writer, d *remedy.Done, s Style) error {
	out := bufio.NewWriterSize(w, 64<<10)
	t := &plan{sheet{out, s}, d.Plan, s.clock(d.TakenAt)}
	t.header(t.tally(d))
	t.outcomes(d)
	t.descriptors(d)
	left := slices.DeleteFunc(slices.Clone(d.Parts), func(p remedy.Part) bool { return p.Degree != "" })
	for i := range left {
		t.blank()
		t.part(&left[i])
	}
	t.rest()
	t.unseen()
	return out.Flush()
}

func (t *plan) tally(d *remedy.Done) paragraph {
	p := paragraph{}
	for _, o := range outcomeNames {
		if n := d.Counts[o.outcome]; n > 0 {
			if len(p) > 0 {
				p = p.say(", ")
			}
			p = p.add(o.tone, count(n, o.one, o.many))
		}
	}
	if len(p) == 0 {
		return say("nothing was done")
	}
	return p.say(" · took ", span(seconds(d.TookMS/1000)))
}

// reason is what several results have in common.
type reason struct {
	outcome remedy.Outcome
	degree  remedy.Degree
	why     string
}

// outcomes lists the results by what came of them and why.
func (t *plan) outcomes(d *remedy.Done) {
	groups := map[reason][]*remedy.Result{}
	var order []reason
	for i := range d.Results {
		r := &d.Results[i]
		k := reason{r.Outcome, r.Act.Degree, r.Why}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], r)
	}
	for _, k := range order {
		t.blank()
		text := paragraph{}.add(strong, number(len(groups[k]))).say(" by ", string(k.degree))
		if k.why != "" {
			text = text.say(": ", k.why)
		}
		t.write(paragraph{}.add(toneOf(k.outcome), string(k.outcome)), planColumns+2, text)
		t.connections(groups[k])
	}
}

func toneOf(o remedy.Outcome) tone {
	for _, n := range outcomeNames {
		if n.outcome == o {
			return n.tone
		}
	}
	return plain
}

func (t *plan) connections(all []*remedy.Result) {
	for i, r := range all {
		if i == mostOutcomes && !t.style.All && len(all) > mostOutcomes+1 {
			t.put("  and " + number(len(all)-i) + " more (--sockets, --json)\n")
			return
		}
		t.put("  " + clean(resultLine(r)) + "\n")
	}
}

func resultLine(r *remedy.Result) string {
	text := actName(r.Act)
	if r.WasMax != nil && r.IsMax != nil {
		return string(r.Act.Degree) + "  pid " + strconv.Itoa(r.Act.Process.PID) + "  soft limit " +
			number(int(r.WasMax.Soft)) + " → " + number(int(r.IsMax.Soft))
	}
	if r.Before != nil {
		text += "  " + r.Before.State.String()
		switch last := r.Last; {
		case r.Outcome == remedy.DidEnd:
			text += " → gone"
		case last != nil && last.State.Valid():
			text += " → " + last.State.String()
		case r.After != nil && r.After.State.Valid():
			text += " → " + r.After.State.String()
		}
	}
	switch r.Descriptor {
	case remedy.Held:
		text += "  descriptor still open"
	case remedy.Released:
		text += "  descriptor closed"
	}
	return text
}

// descriptors says what became of the descriptors, which nobody but the
// application can close.
func (t *plan) descriptors(d *remedy.Done) {
	held, released := 0, 0
	for i := range d.Results {
		switch d.Results[i].Descriptor {
		case remedy.Held:
			held++
		case remedy.Released:
			released++
		}
	}
	if len(d.Owners) == 0 && held+released == 0 {
		return
	}
	t.blank()
	p := paragraph{}
	if held+released > 0 {
		p = p.say(number(released), " of ", count(held+released, "descriptor was", "descriptors were"), " closed by the application")
		if held > 0 {
			p = p.say("; ").add(strong, number(held)+" still open: nobody else can close them")
		}
		p = p.say(". ")
	}
	for i, o := range d.Owners {
		if i == mostOutcomes {
			p = p.say("; ", number(len(d.Owners)-i), " more processes")
			break
		}
		if i > 0 {
			p = p.say("; ")
		}
		p = p.say("pid ", strconv.Itoa(o.PID), ": ", number(o.Before), " open files before, ")
		if o.After < 0 {
			p = p.say("ended since")
		} else {
			p = p.say(number(o.After), " after")
		}
	}
	t.write(paragraph{}.add(faint, "open files"), planColumns+2, p)
}
