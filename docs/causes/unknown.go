package causes

import (
	"fmt"
	"strings"
)

// UnknownError says that no cause has the id that was asked for.
type UnknownError struct {
	// ID is what was asked for.
	ID string
	// Near are the ids that look like it, nearest first; it may be empty.
	Near []string
	// Known are all ids.
	Known []string
}

func (e *UnknownError) Error() string {
	const list = "the causes are "
	all := list + strings.Join(e.Known, ", ")
	if len(e.Near) == 0 {
		return fmt.Sprintf("unknown cause %q: %s", e.ID, all)
	}
	return fmt.Sprintf("unknown cause %q: did you mean %s? %s", e.ID, strings.Join(e.Near, " or "), all)
}

// maxTyped bounds how much of what was typed is compared and shown.
const maxTyped = 64

// unknown builds the error for an id that is in no list.
func unknown(id string) error {
	if r := []rune(id); len(r) > maxTyped {
		id = string(r[:maxTyped]) + "…"
	}
	return &UnknownError{ID: id, Near: near(normal(id), order()), Known: order()}
}

// near returns the ids that resemble want, nearest first, three at the most:
// those that contain it or differ by a few typing errors, or, where there is
// none, those that have a word in common with it.
func near(want string, ids []string) []string {
	const most, typos = 3, 2
	if want == "" {
		return nil
	}
	// ranked[d] holds the ids at distance d; 0 is for ids that contain want.
	var ranked [typos + 1][]string
	var related []string
	for _, id := range ids {
		d := distance(want, id)
		switch {
		case len(want) >= 3 && strings.Contains(id, want):
			ranked[0] = append(ranked[0], id)
		case d <= typos && d < len(want):
			ranked[d] = append(ranked[d], id)
		case sharesWord(want, id):
			related = append(related, id)
		}
	}
	var found []string
	for _, group := range ranked {
		found = append(found, group...)
	}
	if len(found) == 0 {
		found = related
	}
	return found[:min(len(found), most)]
}

// sharesWord reports whether two ids have a word of three letters or more in
// common.
func sharesWord(a, b string) bool {
	for word := range strings.SplitSeq(a, "-") {
		if len(word) < 3 {
			continue
		}
		for other := range strings.SplitSeq(b, "-") {
			if word == other {
				return true
			}
		}
	}
	return false
}

// distance is the number of single-letter insertions, deletions and
// replacements that turn a into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
