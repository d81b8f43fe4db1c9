package docs_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/model"
)

var update = flag.Bool("update", false, "rewrite model-profiles.md")

const profilesHead = `# The model's profiles: every knob of every stack

Made from the code (package ` + "`model`" + `, ` + "`profile*.go`" + `) by ` + "`go test ./docs -update`" + `; a test fails when
it is out of date. What a knob means is said at ` + "`go doc model.Profile`" + `. A dot is "no",
"off" or "none".

Read the last six columns with care: the timers that end FIN_WAIT_2, and what is listed under
Sources, are those stacks' own. All else there is RFC 9293's, and may not be theirs.

Enumerations are shortened. *Starts*: never, on close(), once reading is closed, always. *Expiry*:
silent, RST, RST|ACK. *RepeatedSYN*: to LISTEN, the SYN|ACK again if the SYN is the same, or for
any. Errors: reset is ECONNRESET, pipe is EPIPE, again is EAGAIN, avail is EADDRNOTAVAIL.
`

// The table of profiles is what the code says, and every value that a stack sets
// has a source beside it.
func TestProfilesTable(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(profilesHead)
	writeMatrix(t, &b)
	writeSources(t, &b)
	if *update {
		if err := os.WriteFile("model-profiles.md", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if have := read(t, "model-profiles.md"); have != b.String() {
		t.Error("model-profiles.md is not what the code says: run go test ./docs -update and read the diff")
	}
}

// writeMatrix writes a table for each group of knobs, a column for each stack.
func writeMatrix(t *testing.T, b *bytes.Buffer) {
	t.Helper()
	var profiles []reflect.Value
	for _, p := range model.Profiles() {
		profiles = append(profiles, reflect.ValueOf(p))
	}
	typ := reflect.TypeFor[model.Profile]()
	for g := range typ.NumField() {
		group := typ.Field(g)
		if group.Type.Kind() != reflect.Struct {
			continue
		}
		fmt.Fprintf(b, "\n## %s\n\n```\n%-19s", group.Name, "")
		for _, p := range profiles {
			fmt.Fprintf(b, " %7s", p.FieldByName("Name"))
		}
		b.WriteString("\n")
		for k := range group.Type.NumField() {
			fmt.Fprintf(b, "%-19s", group.Type.Field(k).Name)
			for _, p := range profiles {
				fmt.Fprintf(b, " %7s", short(t, p.Field(g).Field(k).Interface()))
			}
			b.WriteString("\n")
		}
		b.WriteString("```\n")
	}
}

// short writes a value in seven columns at most.
func short(t *testing.T, v any) string {
	t.Helper()
	out := fmt.Sprint(v)
	switch v := v.(type) {
	case bool:
		out = map[bool]string{true: "yes", false: "·"}[v]
	case model.Time:
		out = shortTime(time.Duration(v))
	case model.Errno:
		out = map[model.Errno]string{model.OK: "·", model.ECONNRESET: "reset", model.EPIPE: "pipe", model.EAGAIN: "again", model.EADDRNOTAVAIL: "avail"}[v]
	case model.Start:
		out = [...]string{"never", "close", "reading", "always"}[v]
	case model.Expiry:
		out = [...]string{"silent", "RST", "RST|ACK"}[v]
	case model.RepeatedSYN:
		out = [...]string{"LISTEN", "same", "any"}[v]
	}
	if out == "0" {
		out = "·"
	}
	if out == "" || len([]rune(out)) > 7 {
		t.Errorf("%T %v has no short form", v, v)
	}
	return out
}

func shortTime(d time.Duration) string {
	switch {
	case d == 0:
		return "·"
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d%time.Second == 0:
		return fmt.Sprintf("%d s", d/time.Second)
	}
	return fmt.Sprintf("%d ms", d/time.Millisecond)
}

// sourced is one knob set in the code, with the comment beside it.
type sourced struct{ knob, value, source string }

// stackFuncs are the functions that make profiles, and what they are called here.
var stackFuncs = [][2]string{
	{"RFC9293", "rfc9293"}, {"Linux", "linux"}, {"bsd", "freebsd and xnu"}, {"FreeBSD", "freebsd"}, {"XNU", "xnu, besides"},
	{"Illumos", "illumos"}, {"HPUX", "hpux"}, {"Windows", "windows"}, {"GVisor", "gvisor"}, {"LwIP", "lwip"}, {"Smoltcp", "smoltcp"},
}

// writeSources lists, for each stack, what is set and where it is from.
func writeSources(t *testing.T, b *bytes.Buffer) {
	t.Helper()
	b.WriteString("\n## Sources\n\nFiles and functions are the stack's own; \"seen\" is what it was seen to do, Linux at 6.18.\n")
	found := profileSources(t)
	for _, f := range stackFuncs {
		all := found[f[0]]
		if len(all) == 0 {
			t.Errorf("the function %s sets nothing", f[0])
		}
		fmt.Fprintf(b, "\n### %s\n\n", f[1])
		for _, s := range all {
			if s.source == "" {
				t.Errorf("%s sets %s to %s, and does not say where that is from", f[0], s.knob, s.value)
			}
			b.WriteString(wrapped("- `" + s.knob + "` " + s.value + ": " + s.source))
		}
	}
}

// wrapped breaks a list item into lines of 100 columns at most.
func wrapped(item string) string {
	var b strings.Builder
	column := 0
	for i, w := range strings.Fields(item) {
		n := len([]rune(w))
		switch {
		case i == 0:
		case column+1+n > 100:
			b.WriteString("\n  ")
			column = 2
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(w)
		column += n
	}
	return b.String() + "\n"
}

// profileSources reads the functions that make profiles.
func profileSources(t *testing.T) map[string][]sourced {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "model", "profile*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	found := map[string][]sourced{}
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, src, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		c := &commented{fset: fset, src: src, trailing: map[int]string{}, leading: map[int]string{}}
		c.learn(file)
		for _, d := range file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				found[fn.Name.Name] = c.knobs(fn)
			}
		}
	}
	return found
}

// commented knows which comment stands beside a line, and which above it.
type commented struct {
	fset              *token.FileSet
	src               []byte
	trailing, leading map[int]string
}

func (c *commented) line(p token.Pos) int { return c.fset.Position(p).Line }

func (c *commented) learn(file *ast.File) {
	for _, group := range file.Comments {
		for _, one := range group.List {
			at := c.fset.Position(one.Pos())
			text := strings.TrimSpace(strings.TrimPrefix(one.Text, "//"))
			start := bytes.LastIndexByte(c.src[:at.Offset], '\n') + 1
			if len(bytes.TrimSpace(c.src[start:at.Offset])) > 0 {
				c.trailing[at.Line] = text
				continue
			}
			above := c.leading[at.Line]
			delete(c.leading, at.Line)
			c.leading[at.Line+1] = strings.TrimSpace(above + " " + text)
		}
	}
}

// knobs are the fields that a function sets, in the order of the code.
func (c *commented) knobs(fn *ast.FuncDecl) []sourced {
	var all []sourced
	add := func(n ast.Node, name, value ast.Expr) {
		knob := strings.TrimPrefix(c.text(name), "p.")
		if _, nested := value.(*ast.CompositeLit); nested || knob == "Name" || !token.IsExported(knob) {
			return
		}
		source := c.trailing[c.line(n.End())]
		if source == "" {
			source = c.leading[c.line(n.Pos())]
		}
		all = append(all, sourced{knob, words(c.text(value)), source})
	}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			add(n, n.Key, n.Value)
		case *ast.AssignStmt:
			if n.Tok == token.ASSIGN && len(n.Lhs) == 1 {
				add(n, n.Lhs[0], n.Rhs[0])
			}
		}
		return true
	})
	return all
}

func (c *commented) text(n ast.Node) string {
	return string(c.src[c.fset.Position(n.Pos()).Offset:c.fset.Position(n.End()).Offset])
}

// words makes "75 * Second" "75 s", and true "yes".
func words(value string) string {
	switch value {
	case "true":
		return "yes"
	case "false":
		return "no"
	}
	return strings.NewReplacer(" * Second", " s", " * Millisecond", " ms", " * Minute", " min", " * Hour", " h",
		"Minute", "1 min", "Second", "1 s", "Millisecond", "1 ms").Replace(value)
}
