package report

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/tcp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run with -update)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (run with -update and read the diff); got:\n%s", path, got)
	}
}

func render(t *testing.T, r *diagnose.Report, s Style) string {
	t.Helper()
	var b bytes.Buffer
	if err := Text(&b, r, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTextGolden(t *testing.T) {
	for name, sample := range samples {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".txt", []byte(render(t, sample(), Style{})))
			golden(t, name+".60.txt", []byte(render(t, sample(), Style{Width: 60})))
		})
	}
	golden(t, "critical.color.txt", []byte(render(t, criticalReport(), Style{Color: true})))
	golden(t, "critical.all.txt", []byte(render(t, criticalReport(), Style{All: true})))
	golden(t, "empty.filter.txt", []byte(render(t, emptyReport(), Style{Filter: "--pid 7 --cause masked"})))
}

// Nothing is wider than asked for, but the rows of a socket table.
// A listener that answers nobody is told of where nothing else is.
func TestFullQueuesAreTold(t *testing.T) {
	r := emptyReport()
	for i := range 7 {
		r.FullQueues = append(r.FullQueues, diagnose.FullQueue{Local: "0.0.0.0:8080", PIDs: []int{40 + i}, Title: "app\x1b[31m", Waiting: 1001, Backlog: 1000})
	}
	got := strings.Join(strings.Fields(render(t, r, Style{})), " ")
	for _, want := range []string{"(pid 40) listens on 0.0.0.0:8080, and 1,001 wait", "(pid 44)", "and 2 more full accept queues"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "(pid 45)") || strings.Contains(got, "\x1b") {
		t.Errorf("too much:\n%s", got)
	}
}

func TestTextFits(t *testing.T) {
	for name, sample := range samples {
		for width := MinWidth; width <= DefaultWidth; width++ {
			r := sample()
			for i := range r.Findings {
				r.Findings[i].Sockets = nil
			}
			for line := range strings.Lines(render(t, r, Style{Width: width, All: true})) {
				if n := columns(strings.TrimSuffix(line, "\n")); n > width {
					t.Fatalf("%s at width %d: a line of %d columns: %q", name, width, n, line)
				}
			}
		}
	}
}

// Colour adds escape sequences and changes nothing else.
func TestColorOnlyAdds(t *testing.T) {
	for name, sample := range samples {
		plain, colored := render(t, sample(), Style{}), render(t, sample(), Style{Color: true})
		if strings.Contains(plain, "\x1b") {
			t.Errorf("%s: an escape sequence without Color", name)
		}
		if !strings.Contains(colored, "\x1b[") {
			t.Errorf("%s: no escape sequence with Color", name)
		}
		if ansi.Strip(colored) != plain {
			t.Errorf("%s: stripped of colour it is another text", name)
		}
	}
}

// The renderer does not change what it renders.
func TestTextIsPure(t *testing.T) {
	for name, sample := range samples {
		r := sample()
		first := render(t, r, Style{All: true})
		if err := JSON(&bytes.Buffer{}, r); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(r, sample()) {
			t.Errorf("%s: the report was changed", name)
		}
		if render(t, r, Style{All: true}) != first {
			t.Errorf("%s: a second rendering differs", name)
		}
	}
}

func TestTextWriteError(t *testing.T) {
	want := errors.New("disk full")
	if err := Text(failing{want}, criticalReport(), Style{}); !errors.Is(err, want) {
		t.Errorf("Text: %v, want %v", err, want)
	}
	if err := JSON(failing{want}, criticalReport()); !errors.Is(err, want) {
		t.Errorf("JSON: %v, want %v", err, want)
	}
	if err := Page(failing{want}, "# x", Style{}); !errors.Is(err, want) {
		t.Errorf("Page: %v, want %v", err, want)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// fill sets every string under v to s, nil pointers and empty slices included.
func fill(v reflect.Value, s string) {
	switch v.Kind() {
	case reflect.Uint8: // a state: the zero one has no spelling
		v.SetUint(uint64(tcp.CloseWait))
	case reflect.String:
		v.SetString(s)
	case reflect.Pointer:
		if v.Type().Elem().PkgPath() != "time" {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), s)
		}
	case reflect.Struct:
		if v.Type().PkgPath() == "time" {
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), s)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), s)
		}
	}
}

// hostile is a report in which every string is s, but those that choose the
// sentence.
func hostile(s string, cause int, owned bool) *diagnose.Report {
	var r diagnose.Report
	fill(reflect.ValueOf(&r).Elem(), s)
	f := &r.Findings[0]
	f.Cause = diagnose.Causes[cause%len(diagnose.Causes)]
	f.Stuck = cause%2 == 0
	f.Direction = []diagnose.Direction{diagnose.Inbound, diagnose.Outbound, diagnose.DirectionUnknown}[cause%3]
	f.Outlook.Kind = []diagnose.Ending{diagnose.Never, diagnose.At, diagnose.By}[cause%3]
	if !owned {
		f.Owner = nil
	}
	return &r
}

// unsafeRune finds what must never reach a terminal.
func unsafeRune(s string) (rune, bool) {
	for i, r := range s {
		if r == '\n' {
			continue
		}
		if _, n := utf8.DecodeRuneInString(s[i:]); r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) {
			return r, true
		}
	}
	return 0, false
}

func FuzzTextIsSafe(f *testing.F) {
	f.Add(evil, uint8(0), uint8(60), true)
	f.Add("", uint8(1), uint8(100), false)
	f.Add("\u0301\u0301", uint8(2), uint8(80), true)
	f.Add("日本語 のプロセス👩‍👩‍👧 \u00a0\ufeff", uint8(3), uint8(61), true)
	f.Add(strings.Repeat("x", 5000), uint8(4), uint8(100), true)
	f.Fuzz(func(t *testing.T, s string, cause, width uint8, owned bool) {
		r := hostile(s, int(cause), owned)
		for _, style := range []Style{{Width: int(width)}, {Width: int(width), All: true}} {
			var b bytes.Buffer
			if err := Text(&b, r, style); err != nil {
				t.Fatal(err)
			}
			if c, found := unsafeRune(b.String()); found {
				t.Fatalf("%U reached the output of %q", c, s)
			}
		}
		var colored bytes.Buffer
		if err := Text(&colored, r, Style{Width: int(width), Color: true}); err != nil {
			t.Fatal(err)
		}
		if c, found := unsafeRune(ansi.Strip(colored.String())); found {
			t.Fatalf("%U reached the coloured output of %q", c, s)
		}
	})
}

func FuzzPage(f *testing.F) {
	f.Add("# t\n\n- **a** `b` [c](http://d) <http://e>\n  f\n\n```\ncode\n```\n1. x\n| a | b |\n")
	f.Add("**`[<http" + evil)
	f.Fuzz(func(t *testing.T, s string) {
		var b bytes.Buffer
		if err := Page(&b, s, Style{}); err != nil {
			t.Fatal(err)
		}
		if c, found := unsafeRune(b.String()); found {
			t.Fatalf("%U reached the output of %q", c, s)
		}
	})
}

// Thousands of findings are counted, not poured out; --all and --sockets do.
func TestManyFindings(t *testing.T) {
	r := criticalReport()
	r.Findings = nil
	for i := range 5000 {
		f := eofUnread()
		f.ID, f.Count = strconv.Itoa(i), 2
		r.Findings = append(r.Findings, f)
		g := inUse()
		g.ID = "u" + strconv.Itoa(i)
		r.Findings = append(r.Findings, g)
	}
	short := render(t, r, Style{})
	if n := strings.Count(short, "CRITICAL"); n != mostEntries {
		t.Errorf("%d entries, want %d", n, mostEntries)
	}
	for _, want := range []string{"and 4,980 more stuck findings with 9,960 sockets", "not stuck: 70,000 half-closed connections in use"} {
		if !strings.Contains(short, want) {
			t.Errorf("%q is missing at the end: %s", want, short[len(short)-400:])
		}
	}
	if n := strings.Count(render(t, r, Style{All: true}), "CRITICAL"); n != 5000 {
		t.Errorf("--all shows %d entries", n)
	}
	for i := range r.Findings {
		r.Findings[i].Sockets = []diagnose.SocketDetail{{}}
	}
	if n := strings.Count(render(t, r, Style{}), "CRITICAL"); n != 5000 {
		t.Errorf("--sockets shows %d entries", n)
	}
}
