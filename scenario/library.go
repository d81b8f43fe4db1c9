package scenario

import (
	"cmp"
	"embed"
	"slices"
	"strconv"
	"strings"
)

// stories are the claims', written for all engines.
//
//go:embed testdata/*.story
var stories embed.FS

// Library returns the names of the stories that come with the package, one or
// more for every claim: "c08-mask-1".
func Library() []string {
	entries, err := stories.ReadDir("testdata")
	if err != nil {
		return nil // can not be: the folder is compiled in
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".story"))
	}
	return names
}

// Source returns the text of a story of the Library.
func Source(name string) ([]byte, bool) {
	if !slices.Contains(Library(), name) {
		return nil, false
	}
	src, err := stories.ReadFile("testdata/" + name + ".story")
	return src, err == nil
}

// ForClaim returns the names of the Library's stories that show a claim, by its
// id in either case and with any zeros: "C8", "c08". Those that show the claim
// come before those that correct it, and those about all stacks before those
// about a few. It returns nil if no story shows it.
func ForClaim(id string) []string {
	number, ok := claimNumber(id)
	if !ok {
		return nil
	}
	all, err := Load()
	if err != nil {
		return nil // can not be: a test parses them
	}
	type ranked struct {
		name string
		rank int
	}
	var found []ranked
	for _, s := range all {
		for _, c := range s.Claims {
			if n, ok := claimNumber(c.ID); !ok || n != number {
				continue
			}
			r := ranked{name: strings.TrimSuffix(s.File, ".story")}
			if c.Correction {
				r.rank += 2
			}
			if len(s.Profiles) > 0 {
				r.rank++
			}
			found = append(found, r)
			break
		}
	}
	slices.SortStableFunc(found, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
	var names []string
	for _, r := range found {
		names = append(names, r.name)
	}
	return names
}

// claimNumber is the 8 of "C8" or "c08".
func claimNumber(id string) (uint64, bool) {
	digits, ok := strings.CutPrefix(strings.ToUpper(id), "C")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 8)
	return n, err == nil
}

// Load parses all stories of the Library, in the order of their names.
func Load() ([]*Story, error) {
	var all []*Story
	for _, name := range Library() {
		src, _ := Source(name)
		s, err := Parse(name+".story", src)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}
