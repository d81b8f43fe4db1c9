package scenario

import (
	"strconv"
	"strings"
	"time"
)

// Bounds of a story's numbers: enough for any story, and far from overflow.
const (
	maxSpan  = 10 * 365 * 24 * time.Hour
	maxCount = 1 << 30
)

// words reads one statement. After the first mistake every method does nothing
// and returns zero; err says what the mistake was.
type words struct {
	file  string
	line  line
	hosts *[2]string
	all   []string
	at    int
	err   error
}

// fail notes that something else was wanted here.
func (w *words) fail(wanted string) {
	if w.err == nil {
		w.err = &SyntaxError{w.file, w.line.first, wanted, quote(w.peek())}
	}
}

// peek is the next word, nothing at the end.
func (w *words) peek() string { return w.ahead(0) }

func (w *words) ahead(n int) string {
	if w.at+n < len(w.all) {
		return w.all[w.at+n]
	}
	return ""
}

// take steps over the given words if they are next.
func (w *words) take(phrase ...string) bool {
	if w.err != nil {
		return false
	}
	for i, word := range phrase {
		if w.ahead(i) != word {
			return false
		}
	}
	w.at += len(phrase)
	return true
}

// need steps over one word, which has to be there.
func (w *words) need(word string) {
	if !w.take(word) {
		w.fail(`"` + word + `"`)
	}
}

// end insists that nothing follows.
func (w *words) end() {
	if w.err == nil && w.at < len(w.all) {
		w.fail("the end of the line")
	}
}

// next steps over any word.
func (w *words) next() string {
	word := w.peek()
	if w.err != nil || word == "" {
		return ""
	}
	w.at++
	return word
}

// host reads a host's name.
func (w *words) host() int {
	for i, name := range w.hosts {
		if w.take(name) {
			return i
		}
	}
	w.fail(w.hosts[0] + " or " + w.hosts[1])
	return 0
}

func (w *words) isHost() bool { return w.peek() == w.hosts[0] || w.peek() == w.hosts[1] }

// number reads a whole number.
func (w *words) number(what string, least int) int {
	n, err := strconv.Atoi(w.peek())
	if err != nil || n < least || n > maxCount {
		w.fail(what + ", " + strconv.Itoa(least) + " to " + strconv.Itoa(maxCount))
		return least
	}
	w.next()
	return n
}

func (w *words) isNumber() bool {
	_, err := strconv.Atoi(w.peek())
	return err == nil
}

// span reads a length of time.
func (w *words) span() time.Duration {
	d, err := time.ParseDuration(w.peek())
	if err != nil || d <= 0 || d > maxSpan {
		w.fail("a length of time such as 200ms, 90s or 2h")
		return 0
	}
	w.next()
	return d
}

// choose reads one of a list of names and returns its index.
func (w *words) choose(names []string, what string) int {
	for i, name := range names {
		if name != "" && w.take(strings.Fields(name)...) {
			return i
		}
	}
	w.fail(what)
	return 0
}

// names reads profiles or engines, with commas between them.
func (w *words) names() []string {
	var all []string
	for {
		name := w.peek()
		if !isName(name) {
			w.fail("a profile's or engine's name, such as linux")
			return nil
		}
		all = append(all, w.next())
		if !w.take(",") {
			return all
		}
	}
}

// isName reports whether s can name a host, a profile or an engine.
func isName(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			return false
		}
	}
	return s != "" && len(s) <= 24
}

// because cuts the reason off a statement's end and returns it.
func (w *words) because() string {
	for i := w.at; i < len(w.all); i++ {
		if w.all[i] != "because" {
			continue
		}
		w.all = w.all[:i]
		_, reason, _ := strings.Cut(w.line.text, "because")
		if reason = strings.Join(strings.Fields(reason), " "); reason != "" {
			return reason
		}
		break
	}
	if w.err == nil {
		w.err = &SyntaxError{w.file, w.line.first, `"because" and the reason, with its source`, "none"}
	}
	return ""
}
