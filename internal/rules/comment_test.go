package rules

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestPackageComments(t *testing.T) { report(t, badComments(checkout(t))) }

// said is what a package comment must contain, by the folders bound to it.
var said = []struct {
	in, what string
	words    *regexp.Regexp
}{
	{"internal/kernel/... internal/collect", "the privileges it needs", regexp.MustCompile(`(?i)privilege|\bCAP_`)},
}

// badComments wants exactly one comment a package, over all its build tags,
// that opens as godoc expects and is long enough to state a purpose. It stands
// in a test file only where there is no other.
func badComments(files tree) []violation {
	parsed, found := files.goFiles()
	folders := map[string][]goFile{}
	for _, f := range parsed {
		folders[f.dir] = append(folders[f.dir], f)
	}
	for _, dir := range slices.Sorted(maps.Keys(folders)) {
		found = append(found, badFolder(dir, folders[dir])...)
	}
	return found
}

func badFolder(dir string, all []goFile) []violation {
	var found []violation
	own := slices.DeleteFunc(slices.Clone(all), goFile.test)
	testsOnly := len(own) == 0
	commented := ""
	for _, f := range all {
		if strings.TrimSpace(f.ast.Doc.Text()) == "" {
			continue
		}
		line := f.line(f.ast.Doc.Pos())
		switch {
		case f.test() && !testsOnly:
			found = append(found, violation{f.name, line, "a test file has a package comment: it would be joined to the package's own"})
		case commented != "":
			found = append(found, violation{f.name, line, "a second package comment: the first is in " + commented})
		default:
			commented = f.name
			found = append(found, badComment(f)...)
		}
	}
	if commented == "" {
		found = append(found, violation{all[0].name, 0, "package " + dir + " has no package comment: say its purpose, its concurrency and its privileges"})
	}
	return found
}

func badComment(f goFile) []violation {
	var found []violation
	text, line := f.ast.Doc.Text(), f.line(f.ast.Doc.Pos())
	opening := "Package " + f.ast.Name.Name + " "
	if f.ast.Name.Name == "main" {
		opening = "Command " + f.dir[strings.LastIndex(f.dir, "/")+1:] + " "
	}
	if !strings.HasPrefix(text, opening) {
		found = append(found, violation{f.name, line, "the package comment does not open with \"" + opening + "…\", as godoc expects"})
	}
	if len(strings.Fields(text)) < 10 {
		found = append(found, violation{f.name, line, "the package comment is too short to say what the package is for"})
	}
	for _, s := range said {
		if in(f.dir, s.in) && !s.words.MatchString(text) {
			found = append(found, violation{f.name, line, "the package comment does not say " + s.what})
		}
	}
	return found
}

func TestPackageCommentRuleCatchesLapses(t *testing.T) {
	const good = "// Package x reads what the kernel says of sockets, one goroutine a reader, with no privilege at all.\npackage x\n"
	prove(t, badComments, []broken{
		{"good", map[string]string{"internal/kernel/x/a.go": good, "internal/kernel/x/b.go": "package x\n"}, ""},
		{"none", map[string]string{"tcp/a.go": "//go:build linux\n\npackage tcp\n"}, "tcp/a.go:1: package tcp has no"},
		{"two", map[string]string{"internal/kernel/x/a_linux.go": good, "internal/kernel/x/b_windows.go": good}, "b_windows.go:1: a second"},
		{"in a test", map[string]string{"internal/kernel/x/a.go": good, "internal/kernel/x/a_test.go": "// Package x is tested here.\npackage x\n"}, "a test file"},
		{"only in a test", map[string]string{"internal/kernel/x/a_test.go": strings.NewReplacer("Package x", "Package x_test", "package x", "package x_test").Replace(good)}, ""},
		{"other opening", map[string]string{"tcp/a.go": strings.Replace(good, "Package x", "This package", 1)}, "does not open"},
		{"too short", map[string]string{"tcp/a.go": "// Package tcp holds words.\npackage tcp\n"}, "too short"},
		{"no privileges", map[string]string{"internal/kernel/x/a.go": strings.Replace(good, "privilege", "trouble", 1)}, "the privileges it needs"},
		{"a command", map[string]string{"cmd/y/a.go": "// Command y finds connections that are stuck half-closed, and says why.\npackage main\n"}, ""},
	})
}
