package rules

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/closewait/closewait"

// tree is a checkout: the contents of its files by slash-separated path.
type tree map[string][]byte

// violation is one breach of a rule. Line 0 means the file as a whole.
type violation struct {
	file string
	line int
	why  string
}

func (v violation) String() string { return fmt.Sprintf("%s:%d: %s", v.file, max(v.line, 1), v.why) }

// checkout reads the repository this test belongs to.
func checkout(t *testing.T) tree {
	t.Helper()
	root := filepath.Join("..", "..")
	names := present(t, root)
	files := tree{}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = text
	}
	if files["go.mod"] == nil {
		t.Fatalf("found no go.mod among %d files", len(files))
	}
	return files
}

// present lists what git knows, and what is new and not ignored: a file is
// judged before it is committed. Without git it is every file there is. The
// folders are walked in any case, so that go test's cache sees a new file.
func present(t *testing.T, root string) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && name == ".git" {
			return fs.SkipDir
		}
		if err == nil && d.Type().IsRegular() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// The checkout may belong to another user than the test's.
	git := exec.Command("git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	git.Dir = root
	out, err := git.Output()
	if err != nil {
		t.Logf("no git here (%v): ignored files are judged too", err)
		return names
	}
	known := map[string]bool{}
	for name := range strings.SplitSeq(string(out), "\x00") {
		known[name] = true
	}
	return slices.DeleteFunc(names, func(name string) bool { return !known[name] })
}

// goFile is one parsed Go file.
type goFile struct {
	name string // path in the tree
	dir  string // its folder: "." for the module's root
	ast  *ast.File
	fset *token.FileSet
}

func (f goFile) line(pos token.Pos) int { return f.fset.Position(pos).Line }
func (f goFile) test() bool             { return strings.HasSuffix(f.name, "_test.go") }
func (f goFile) generated() bool        { return ast.IsGenerated(f.ast) }

// goFiles parses every Go file outside testdata, in the order of their names.
// One that does not parse is a violation, not the end.
func (files tree) goFiles() ([]goFile, []violation) {
	var parsed []goFile
	var broken []violation
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if path.Ext(name) != ".go" || strings.Contains("/"+name, "/testdata/") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, files[name], parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			broken = append(broken, violation{name, 0, err.Error()})
			continue
		}
		parsed = append(parsed, goFile{name, path.Dir(name), file, fset})
	}
	return parsed, broken
}

// selectors calls visit for every use of a name of an imported package, under
// the import's path: time.Now, or t.Now where time was imported as t.
func (f goFile) selectors(visit func(importPath, name string, pos token.Pos)) {
	imported := map[string]string{}
	for _, spec := range f.ast.Imports {
		importPath := strings.Trim(spec.Path.Value, `"`)
		local := path.Base(importPath)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		imported[local] = importPath
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok && imported[id.Name] != "" {
			visit(imported[id.Name], sel.Sel.Name, sel.Pos())
		}
		return true
	})
}

// report fails the test for each violation.
func report(t *testing.T, found []violation) {
	t.Helper()
	for _, v := range found {
		t.Error(v)
	}
}

// broken is one synthetic tree and what a rule must say of it.
type broken struct {
	name  string
	files map[string]string
	want  string // a part of the one violation; empty when there must be none
}

// prove runs a rule on synthetic trees.
func prove(t *testing.T, rule func(tree) []violation, rows []broken) {
	t.Helper()
	for _, row := range rows {
		files := tree{}
		for name, text := range row.files {
			files[name] = []byte(text)
		}
		found := rule(files)
		switch {
		case row.want == "" && len(found) > 0:
			t.Errorf("%s: found %v, want nothing", row.name, found)
		case row.want != "" && (len(found) != 1 || !strings.Contains(found[0].String(), row.want)):
			t.Errorf("%s: found %v, want one that says %q", row.name, found, row.want)
		}
	}
}
