package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/closewait/closewait/scenario"
)

// libraryStory is a story that comes with the program, and what it was asked for by.
type libraryStory struct {
	name string
	src  []byte
	// claim is the id that was given in place of a name, others the names of the
	// other stories about it.
	claim  string
	others []string
}

// libraryStoryNamed finds a story by its name or by its claim's id; a path is
// neither.
func libraryStoryNamed(name string) (libraryStory, error) {
	plain := strings.TrimSuffix(name, ".story")
	s := libraryStory{name: plain}
	if about := scenario.ForClaim(name); len(about) > 0 {
		s = libraryStory{name: about[0], claim: strings.ToUpper(name), others: about[1:]}
	}
	var ok bool
	if s.src, ok = scenario.Source(s.name); ok {
		return s, nil
	}
	if near := storiesLike(filepath.Base(plain)); len(near) > 0 {
		return s, fmt.Errorf("no file and no story is called %q: did you mean %s?", name, oneOf(near))
	}
	return s, fmt.Errorf("no file and no story is called %q: closewait model run --help lists the stories", name)
}

// also says which other stories are about the claim.
func (s libraryStory) also() string {
	if len(s.others) == 0 {
		return ""
	}
	return fmt.Sprintf("\nThis is %s. Also about %s:\n  %s\n", s.name, s.claim, strings.Join(s.others, "\n  "))
}

// storiesLike returns the stories whose names resemble what was typed, nearest
// first, three at the most: those that contain it, or else share the most words
// with it. "the" is in too many names to count.
func storiesLike(typed string) []string {
	const most = 3
	if typed = strings.ToLower(typed); len(typed) < 2 {
		return nil
	}
	words := strings.FieldsFunc(typed, func(r rune) bool { return r == '-' || r == '_' || r == ' ' })
	type ranked struct {
		name  string
		alike int
	}
	var found []ranked
	for _, name := range scenario.Library() {
		r := ranked{name: name}
		if strings.Contains(name, typed) {
			r.alike = len(typed)
		}
		for _, w := range words {
			if len(w) == 2 && w[0] == 'c' {
				w = "c0" + w[1:]
			}
			if len(w) > 2 && w != "the" && slices.Contains(strings.Split(name, "-"), w) {
				r.alike++
			}
		}
		if r.alike > 0 {
			found = append(found, r)
		}
	}
	slices.SortStableFunc(found, func(a, b ranked) int { return cmp.Compare(b.alike, a.alike) })
	var names []string
	for _, r := range found[:min(len(found), most)] {
		names = append(names, r.name)
	}
	return names
}

// maxStory is more than any story that parses.
const maxStory = 2 << 20

// story reads a story: a file, or else one that comes with the program; also says
// which others there are, where a claim was asked for.
func (e *env) story(name string) (s *scenario.Story, src []byte, also string, err error) {
	src, file, also, err := e.storyText(name)
	if err != nil {
		return nil, nil, "", err
	}
	if s, err = scenario.Parse(file, src); err != nil {
		return nil, nil, "", err
	}
	if len(s.Steps) == 0 {
		return nil, nil, "", fmt.Errorf("%s: nothing happens in this story: closewait model run --help has an example", file)
	}
	return s, src, also, nil
}

func (e *env) storyText(name string) (src []byte, file, also string, err error) {
	if name == "-" {
		src, err = io.ReadAll(io.LimitReader(e.in, maxStory))
		if err != nil {
			return nil, "", "", fmt.Errorf("read the story: %w", err)
		}
		return src, "standard input", "", nil
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		s, err := libraryStoryNamed(name)
		return s.src, s.name + ".story", s.also(), err
	}
	if err != nil {
		return nil, "", "", fmt.Errorf("read the story: %w", err)
	}
	defer f.Close()
	if src, err = io.ReadAll(io.LimitReader(f, maxStory)); err != nil {
		return nil, "", "", fmt.Errorf("read the story: %w", err)
	}
	return src, name, "", nil
}
