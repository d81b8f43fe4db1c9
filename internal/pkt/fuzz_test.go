package pkt

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/closewait/closewait/model"
)

// seeds are the scripts of the tests, and pieces of syntax.
func seeds(f *testing.F) {
	f.Helper()
	for _, pattern := range []string{"testdata/verdicts/*.pkt", "testdata/matrix/closing/fin-*.pkt"} {
		files, err := filepath.Glob(filepath.FromSlash(pattern))
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	for _, text := range []string{
		"--x", "`", "%{", "/*", "+", "*", "1~", "0...0", "+0 <", "+0 > . ...(0) ack", "+0 f(", "+0 f({a=[", "#ifdef X\n#else\n#endif",
		"+0 f(-0x8000000000000000) = 18446744073709551615", "99999999 `sleep 1e308`", "+0 `ss -K sport = :1`", "+0 `grep`",
	} {
		f.Add(text)
	}
}

// FuzzParse: no text makes the parser panic, and an error names a place in it.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		_, err := Parse("x.pkt", []byte(text), "X")
		if err == nil {
			return
		}
		syntax, ok := err.(*SyntaxError) //nolint:errorlint // Parse returns it bare
		if !ok || syntax.Line < 1 || syntax.Line > strings.Count(text, "\n")+1 || syntax.Text == "" {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// FuzzJudge: no script makes the runner panic or run for ever.
func FuzzJudge(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range []model.Profile{model.Linux(), model.FreeBSD()} {
			r := Judge("x.pkt", []byte(text), Config{Profile: p, Trace: true})
			if r.Verdict != Pass && r.Line < 1 {
				t.Errorf("%q: %s", text, r.String())
			}
			if r.Verdict == Fail && (r.Wanted == "" || r.Got == "") {
				t.Errorf("%q: %s", text, r.String())
			}
		}
	})
}
