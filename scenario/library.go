package scenario

import (
	"embed"
	"slices"
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
