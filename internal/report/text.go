package report

import (
	"bufio"
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/tcp"
)

// text is one report being written.
type text struct {
	sheet
	report *diagnose.Report
	clock  clock
	byID   map[string]*diagnose.Finding
}

// mostEntries is how many findings are shown in full unless all are asked for:
// more are not read, and the worst come first.
const mostEntries = 20

// Text writes r for a reader: what was looked at, every stuck finding in full
// (the worst first), the rest in a line, and what could not be seen. The error
// is that of w.
func Text(w io.Writer, r *diagnose.Report, s Style) error {
	out := bufio.NewWriterSize(w, 64<<10)
	t := &text{sheet{out, s}, r, s.clock(r.TakenAt), map[string]*diagnose.Finding{}}
	for i := range r.Findings {
		t.byID[r.Findings[i].ID] = &r.Findings[i]
	}
	stuck, rest := split(r.Findings)
	t.header(stuck)
	for i, f := range stuck {
		t.blank()
		// Who asks for sockets gets all of them.
		if i == mostEntries && !s.All && len(f.Sockets) == 0 {
			t.others(stuck[i:])
			break
		}
		t.entry(f)
	}
	if len(stuck) == 0 {
		t.blank()
		t.calm(rest)
	}
	t.fullQueues()
	if len(rest) > 0 {
		t.blank()
		t.notStuck(rest)
	}
	t.unseen()
	return out.Flush()
}

// split parts the stuck findings from the others. Diagnose has its order of
// equally severe findings; it is kept.
func split(all []diagnose.Finding) (stuck, rest []*diagnose.Finding) {
	for i := range all {
		if f := &all[i]; f.Stuck {
			stuck = append(stuck, f)
		} else {
			rest = append(rest, f)
		}
	}
	slices.SortStableFunc(stuck, func(a, b *diagnose.Finding) int {
		return cmp.Compare(rank(b.Severity), rank(a.Severity))
	})
	return stuck, rest
}

func rank(s diagnose.Severity) int {
	return slices.Index([]diagnose.Severity{diagnose.Info, diagnose.Warning, diagnose.Critical}, s)
}

// header says where, when and what was looked at.
func (t *text) header(stuck []*diagnose.Finding) {
	r := t.report
	closeWait, others := 0, 0
	for _, f := range stuck {
		switch {
		case f.Cause == diagnose.Masked:
		case f.State == tcp.CloseWait:
			closeWait += f.Count
		default:
			others += f.Count
		}
	}
	p := paragraph{}.add(strong, firstOf(shorten(r.Host.Name, nameColumns), "this host")).
		say(" · ", t.clock.at(r.TakenAt), " · ", t.scope(), " · ", number(r.Totals.CloseWait), " in CLOSE_WAIT")
	switch {
	case closeWait > 0 && t.style.Filter != "":
		p = p.say(", ").add(strong, number(closeWait)+" stuck of those asked for")
	case closeWait > 1 && closeWait == r.Totals.CloseWait:
		p = p.say(", ").add(strong, "all stuck")
	case closeWait > 0:
		p = p.say(", ").add(strong, number(closeWait)+" stuck")
	}
	if others > 0 {
		p = p.say(" · ").add(strong, number(others)+" stuck in other states")
	}
	if r.Totals.Masked > 0 {
		p = p.say(" · ").add(strong, count(r.Totals.Masked, "dead descriptor", "dead descriptors"))
	}
	if r.IntervalS > 0 {
		p = p.say(" · two looks ", span(seconds(r.IntervalS)), " apart")
	}
	p = p.say(" · took ", span(seconds(r.TookMS/1000)))
	t.write(nil, 0, p)
}

func (t *text) scope() string {
	s := count(t.report.Totals.TCP, "TCP socket", "TCP sockets")
	if n := t.report.Totals.Namespaces; n > 0 {
		s += " in " + count(n, "network namespace", "network namespaces")
	}
	return s
}

// calm is the answer when nothing is stuck. It says so of what was looked at,
// and of no more.
func (t *text) calm(rest []*diagnose.Finding) {
	r := t.report
	switch {
	case t.style.Filter != "" && len(rest) == 0:
		t.write(nil, 0, say("Nothing matches ").add(strong, t.style.Filter).
			say(". That says nothing of the rest: leave the filter out to see all."))
	case t.style.Filter != "":
		t.write(nil, 0, paragraph{}.add(good, "Nothing that matches").say(" ", t.style.Filter, " is stuck."))
	case !r.Complete || len(r.Limits) > 0:
		t.write(nil, 0, paragraph{}.add(strong, "Nothing stuck was seen").say(", but not everything could be seen: see below."))
	default:
		p := paragraph{}.add(good, "Nothing is stuck.").
			say(" No connection has been half-closed and unused ", t.long())
		if r.Totals.Masked == 0 {
			p = p.say(", and no process holds descriptors of dead ones")
		}
		t.write(nil, 0, p.say("."))
	}
}

// fullQueues tells of listeners that answer nobody, though nothing that is half-closed
// waits there.
func (t *text) fullQueues() {
	const most = 5
	for i, q := range t.report.FullQueues {
		if i == most {
			t.write(nil, 0, say("and "+count(len(t.report.FullQueues)-most, "more full accept queue", "more full accept queues")))
			return
		}
		t.blank()
		who := shorten(q.Title, nameColumns)
		if len(q.PIDs) > 0 {
			who = strings.TrimSpace(who + " (pid " + strconv.Itoa(q.PIDs[0]) + ")")
		}
		t.write(nil, 0, paragraph{}.add(warn, "full accept queue:").
			say(" ", firstOf(who, "a process that was not seen"), " listens on ", q.Local, ", and ", number(int(q.Waiting)),
				" wait to be accepted where ", number(int(q.Backlog)), " may (one more is let in): new clients get no answer. ",
				"None of them is half-closed: they are open, or a RST ended them, which frees no place. See ").
			add(note, "closewait explain never-accepted").say("."))
	}
}

// notStuck is one line for everything that is well, or the entries themselves.
func (t *text) notStuck(rest []*diagnose.Finding) {
	if t.style.All {
		t.write(nil, 0, paragraph{}.add(faint, "not stuck:"))
		for i, f := range rest {
			if i > 0 {
				t.blank()
			}
			t.entry(f)
		}
		return
	}
	parts := t.summary(rest)
	t.write(nil, 0, paragraph{}.add(faint, "not stuck:").
		say(" ", strings.Join(parts, "; "), ". ").add(note, "--all").say(" shows them."))
}

// others is one line for the stuck findings that are not shown in full.
func (t *text) others(rest []*diagnose.Finding) {
	n := 0
	for _, f := range rest {
		n += f.Count
	}
	t.write(nil, 0, paragraph{}.add(strong, "and "+count(len(rest), "more stuck finding", "more stuck findings")).
		say(" with ", count(n, "socket", "sockets"), ", none worse than those above. ").add(note, "--all").say(" shows them."))
}

// summary counts findings that are not stuck by what there is to say of them.
func (t *text) summary(rest []*diagnose.Finding) []string {
	const most = 4
	var kinds []harmless
	counts := map[harmless]int{}
	for _, f := range rest {
		k := t.harmless(f)
		if counts[k] == 0 {
			kinds = append(kinds, k)
		}
		counts[k] += f.Count
	}
	var parts []string
	for _, k := range kinds[:min(most, len(kinds))] {
		parts = append(parts, count(counts[k], k.one, k.many)+k.why+k.who)
	}
	if len(kinds) > most {
		n := 0
		for _, k := range kinds[most:] {
			n += counts[k]
		}
		parts = append(parts, number(n)+" in "+count(len(kinds)-most, "other group", "other groups"))
	}
	return parts
}

// harmless is what the summary says of a finding: what it is, why it is not
// stuck, and whose it is.
type harmless struct{ one, many, why, who string }

func (t *text) harmless(f *diagnose.Finding) harmless {
	h := harmless{one: string(f.Cause), many: string(f.Cause)}
	switch {
	case drains(f):
		h = harmless{one: "connection", many: "connections", why: " closed here, whose peers still take what is left"}
	case f.Cause == diagnose.HalfCloseInUse:
		h = harmless{one: "half-closed connection", many: "half-closed connections", why: " in use"}
	case f.Cause == diagnose.OrphanDraining:
		h = harmless{one: "connection", many: "connections", why: " closed here, which the kernel ends soon"}
	case endsSoon(f) && (t.noGrace() || f.Oldest.AtLeastS >= t.report.GraceS):
		h.why = " which the kernel ends soon"
	case f.Oldest.AtLeastS < t.report.GraceS:
		h.why = " " + t.young()
	}
	if f.Owner != nil {
		h.who = " (" + name(f.Owner) + ", " + pids(f.Owner, 1) + ")"
	}
	return h
}

// unseen says what could not be looked at.
func (t *text) unseen() {
	limits := t.report.Limits
	if len(limits) == 0 && t.report.Complete {
		return
	}
	t.blank()
	if len(limits) == 0 {
		limits = []string{"something, and the snapshot does not say what"}
	}
	t.write(nil, 0, paragraph{}.add(warn, "could not see:"))
	for _, l := range limits {
		t.write(say("  - "), 4, say(l))
	}
}
