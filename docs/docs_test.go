// Package docs_test checks the documents in this folder against the code they
// describe. It reads files only: no privileges, and no state to share.
package docs_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/report"
)

// field is one JSON field of a report type.
type field struct {
	name            string
	nullable, maybe bool // null possible; may be absent
}

// reportTypes walks the report and returns each struct's fields by type name.
func reportTypes(t *testing.T) map[string][]field {
	t.Helper()
	types := map[string][]field{}
	walk(reflect.TypeFor[diagnose.Report](), types)
	if len(types) < 10 {
		t.Fatalf("found %d types in a report only: %v", len(types), types)
	}
	return types
}

func walk(typ reflect.Type, types map[string][]field) {
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		walk(typ.Elem(), types)
		return
	case reflect.Struct:
	default:
		return
	}
	if _, done := types[typ.Name()]; done || typ == reflect.TypeFor[time.Time]() {
		return
	}
	types[typ.Name()] = nil
	var fields []field
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		maybe := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		fields = append(fields, field{
			name: name, maybe: maybe, nullable: f.Type.Kind() == reflect.Pointer && !maybe,
		})
		walk(f.Type, types)
	}
	types[typ.Name()] = fields
}

// item is one "- `name`: text" of a list, continuation lines included.
var item = regexp.MustCompile("(?m)^- `([a-z0-9_]+)`: ((?:.*)(?:\n  .*)*)")

// sections splits a document by its second-level headings.
func sections(doc string) map[string]string {
	parts := map[string]string{}
	for _, part := range strings.Split(doc, "\n## ")[1:] {
		title, body, _ := strings.Cut(part, "\n")
		parts[strings.TrimSpace(title)] = body
	}
	return parts
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestJSONFieldsAreDocumented(t *testing.T) {
	parts := sections(read(t, "json.md"))
	for typ, fields := range reportTypes(t) {
		body, ok := parts[typ]
		if !ok {
			t.Errorf("json.md has no section %q", typ)
			continue
		}
		documented := map[string]string{}
		for _, m := range item.FindAllStringSubmatch(body, -1) {
			documented[m[1]] = m[2]
		}
		for _, f := range fields {
			text, ok := documented[f.name]
			delete(documented, f.name)
			switch {
			case !ok:
				t.Errorf("json.md, %s: %q is missing", typ, f.name)
			case f.nullable && !strings.Contains(text, "null"):
				t.Errorf("json.md, %s: %q does not say when it is null", typ, f.name)
			case f.maybe && !strings.Contains(text, "Absent"):
				t.Errorf("json.md, %s: %q does not say when it is absent", typ, f.name)
			case !f.maybe && strings.Contains(text, "Absent"):
				t.Errorf("json.md, %s: %q is never absent", typ, f.name)
			}
		}
		for name := range documented {
			t.Errorf("json.md, %s: there is no field %q", typ, name)
		}
	}
}

func TestJSONValuesAreDocumented(t *testing.T) {
	parts := sections(read(t, "json.md"))
	want := map[string][]string{
		"Report": {diagnose.Schema, "bpf", "procfs"},
		"Finding": {
			string(diagnose.Certain), string(diagnose.Likely),
			string(diagnose.Info), string(diagnose.Warning), string(diagnose.Critical),
			string(diagnose.Inbound), string(diagnose.Outbound), string(diagnose.DirectionUnknown),
			string(diagnose.OneLook), string(diagnose.TwoLooks), string(diagnose.History),
		},
		"Outlook": {
			string(diagnose.Never), string(diagnose.OnWrite), string(diagnose.By),
			string(diagnose.At), string(diagnose.Soon),
		},
		"Exhaustion": {string(diagnose.OpenFiles), string(diagnose.AcceptQueue), string(diagnose.LocalPorts)},
		"Evidence":   {"sock_diag", "procfs", "sensor"},
	}
	for _, c := range diagnose.Causes {
		want["Finding"] = append(want["Finding"], string(c))
	}
	for typ, values := range want {
		for _, v := range values {
			if !strings.Contains(parts[typ], "`"+v+"`") {
				t.Errorf("json.md, %s: the value `%s` is missing", typ, v)
			}
		}
	}
}

// The tables of claims, of the model and of the lab, are described in model.md.
func TestEveryFieldOfTheClaimsIsDocumented(t *testing.T) {
	types := map[string][]field{}
	walk(reflect.TypeFor[report.Claims](), types)
	_, doc, _ := strings.Cut(read(t, "model.md"), "| `schema` | `"+report.ClaimsSchema+"`")
	for typ, fields := range types {
		for _, f := range fields {
			if f.name != "schema" && !strings.Contains(doc, "`"+f.name+"`") {
				t.Errorf("model.md: %s of %s is missing", f.name, typ)
			}
		}
	}
}

func TestHowItDecidesNamesEveryCause(t *testing.T) {
	doc := read(t, "how-it-decides.md")
	for _, c := range diagnose.Causes {
		if !strings.Contains(doc, "`"+string(c)+"`") {
			t.Errorf("how-it-decides.md does not name %s", c)
		}
	}
}

func TestDocumentsFitAScreen(t *testing.T) {
	names, err := filepath.Glob("*.md")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	names = append(names, "../README.md", "../ARCHITECTURE.md", "../CONTRIBUTING.md")
	for _, name := range names {
		code := false
		for i, line := range strings.Split(read(t, name), "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				code = !code
			}
			// Tables and diagrams are as wide as they are.
			n := utf8.RuneCountInString(line)
			if n > 100 && !code && !strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "    ") {
				t.Errorf("%s:%d has %d columns, at most 100", name, i+1, n)
			}
		}
	}
}
