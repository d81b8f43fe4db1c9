package scenario

import (
	"slices"
	"strings"
)

// reserved are the words that begin a statement, and so can not name a host.
var reserved = []string{"hosts", "profile", "claim", "corrects", "on", "the", "wait", "expect", "link", "and"}

// Parse reads a story. The file's name is for messages alone. The error is a
// *SyntaxError, of the first mistake.
func Parse(file string, src []byte) (*Story, error) {
	lines, err := split(file, src)
	if err != nil {
		return nil, err
	}
	s := &Story{File: file, Hosts: [2]string{"local", "remote"}, lines: lines}
	for i, l := range lines {
		if s.Title == "" && !l.statement() && l.comment != "" {
			s.Title = strings.TrimSpace(strings.TrimLeft(l.comment, "# "))
		}
		if !l.statement() {
			continue
		}
		w := &words{file: file, line: l, hosts: &s.Hosts, all: wordsOf(l.text)}
		s.statement(w, i)
		w.end()
		if w.err != nil {
			return nil, w.err
		}
	}
	return s, nil
}

// statement reads one line: of the head, or a step.
func (s *Story) statement(w *words, at int) {
	head := len(s.Steps) == 0
	switch word := w.peek(); {
	case w.take("on"):
		s.apart(w, at)
	case slices.Contains([]string{"hosts", "profile", "claim", "corrects"}, word):
		if !head {
			w.fail("a step, for a story's head ends where its steps begin")
			return
		}
		s.head(w)
	default:
		s.Steps = append(s.Steps, step(w, at))
	}
}

func (s *Story) head(w *words) {
	switch w.next() {
	case "hosts":
		s.Hosts = [2]string{hostName(w), hostName(w)}
		if s.Hosts[0] == s.Hosts[1] {
			w.fail("two hosts of different names")
		}
	case "profile":
		s.Profiles = append(s.Profiles, w.names()...)
	case "claim":
		s.Claims = append(s.Claims, claim(w, false))
	case "corrects":
		s.Claims = append(s.Claims, claim(w, true))
	}
}

func hostName(w *words) string {
	name := w.peek()
	if !isName(name) || slices.Contains(reserved, name) {
		w.fail("a host's name: small letters, digits and hyphens")
		return ""
	}
	return w.next()
}

func claim(w *words, correction bool) Claim {
	id := w.next()
	if len(id) < 2 || id[0] != 'C' || strings.Trim(id[1:], "0123456789") != "" {
		w.at--
		w.fail("a claim's id, such as C8")
		return Claim{}
	}
	// The text is prose: not words, but what stands there.
	_, text, _ := strings.Cut(w.line.text, id)
	if text = strings.Join(strings.Fields(text), " "); text == "" {
		w.fail("what the claim says")
	}
	w.at = len(w.all)
	return Claim{ID: id, Text: text, Correction: correction}
}

// step reads a line that is no part of the head.
func step(w *words, at int) Step {
	switch {
	case w.take("the", "link", "recovers"):
		return &Recover{line: at}
	case w.take("the", "link"):
		return &Link{Rule: rule(w), line: at}
	case w.take("wait"):
		return wait(w, at)
	case w.take("expect", "wire"):
		e := &ExpectWire{line: at}
		e.Items, e.From = wireItems(w)
		return e
	case w.take("expect"):
		return &Expect{Hosts: hostWants(w), line: at}
	case w.take(w.hosts[0], "and", w.hosts[1], "are", "connected"):
		return &Meet{line: at}
	case w.isHost():
		a := &Act{Host: w.host(), line: at}
		a.Call = call(w)
		if w.take("→") {
			want := wantReturn(w, a.Call.Op)
			a.Want = &want
		}
		return a
	}
	w.fail(`a statement: "` + w.hosts[0] + ` reads", "the link loses …", "wait …" or "expect …"`)
	return nil
}

// apart reads an "on …" line: a verdict in the head, or what another engine
// does instead of what the line above expects.
func (s *Story) apart(w *words, at int) {
	own := Apart{On: w.names(), line: at}
	own.Because = w.because()
	if len(s.Steps) == 0 {
		holding := Holding(w.choose(holdings[:], `"holds", "does not hold" or "depends"`))
		s.Verdicts = append(s.Verdicts, Verdict{On: own.On, Holding: holding, Because: own.Because, Line: w.line.first})
		return
	}
	switch above := s.Steps[len(s.Steps)-1].(type) {
	case *Act:
		w.need("→")
		above.Else = append(above.Else, ElseReturn{own, wantReturn(w, above.Call.Op)})
	case *Expect:
		w.need("expect")
		above.Else = append(above.Else, ElseExpect{own, hostWants(w)})
	case *ExpectWire:
		w.need("expect")
		w.need("wire")
		items, from := wireItems(w)
		above.Else = append(above.Else, ElseWire{own, items, from})
	default:
		w.at = 0
		w.fail("a call or an expectation above, for this line to differ from")
	}
}

// wait reads "wait 3s" and "wait until local CLOSED, at most 20m".
func wait(w *words, at int) Step {
	step := &Wait{line: at}
	if !w.take("until") {
		step.Most = w.span()
		return step
	}
	until := hostWant(w)
	w.take(",")
	w.need("at")
	w.need("most")
	step.Until, step.Most = &until, w.span()
	return step
}

// rule reads what the link does: "loses the first 3 RSTs from remote".
func rule(w *words) Rule {
	r := Rule{Fate: Fate(w.choose(fates[:], `"recovers", "loses", "duplicates" or "delays"`)), From: -1, First: 1}
	switch {
	case w.take("everything"):
	case w.take("every"):
		r.Class = class(w)
	default:
		w.need("the")
		r.First, r.Last = which(w)
		r.Class = class(w)
	}
	if w.take("from") {
		r.From = w.host()
	}
	if r.Fate == Delay {
		w.need("by")
		r.By = w.span()
	}
	return r
}

// which reads "first", "first 3" or "2nd".
func which(w *words) (first, last int) {
	if w.take("first") {
		if w.isNumber() {
			return 1, w.number("how many", 1)
		}
		return 1, 1
	}
	word := w.peek()
	if len(word) > 2 {
		n := (&words{all: []string{word[:len(word)-2]}}).number("", 1)
		if ordinal(n) == word {
			w.next()
			return n, n
		}
	}
	w.fail(`"first", "first 3", or "2nd"`)
	return 1, 1
}

// class reads a kind of segment, in the singular or the plural.
func class(w *words) Class {
	for c := AnySegment; c < Probe; c++ {
		if w.take(c.String()) || w.take(c.String()+"s") {
			if c == Data && !w.take("segment") {
				w.take("segments")
			}
			return c
		}
	}
	w.fail("segment, SYN, SYN|ACK, FIN, RST, ACK or data segment")
	return AnySegment
}
