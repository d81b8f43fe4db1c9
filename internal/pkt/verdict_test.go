package pkt

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/closewait/closewait/model"
)

// TestVerdicts pins what is said of scripts, word by word; a script's name says
// which verdict it is for.
func TestVerdicts(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "verdicts", "*.pkt"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var got strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r := Judge(filepath.ToSlash(name), text, Config{Profile: model.Linux()})
		if !strings.HasPrefix(filepath.Base(name), r.Verdict.String()+"-") {
			t.Errorf("%s: %s", name, r.String())
		}
		fmt.Fprintln(&got, r.String())
		for _, what := range r.Ignored {
			fmt.Fprintln(&got, "    ignored:", what)
		}
	}
	golden(t, filepath.Join("testdata", "verdicts.golden"), got.String())
}

// TestTrace pins what --verbose shows of one script.
func TestTrace(t *testing.T) {
	name := "testdata/verdicts/pass-linger.pkt"
	text, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	r := Judge(name, text, Config{Profile: model.Linux(), Trace: true})
	golden(t, filepath.Join("testdata", "trace.golden"), strings.Join(r.Trace, "\n")+"\n")
}

// TestEveryExpectationCounts takes the matrix's scripts and changes what each
// wants to be sent: none may pass then.
func TestEveryExpectationCounts(t *testing.T) {
	changed := 0
	for _, c := range matrix() {
		lines := strings.Split(strings.TrimSuffix(c.script(), "\n"), "\n")
		for i, line := range lines {
			if !strings.HasPrefix(line, "+0 > ") {
				continue
			}
			for _, other := range spoiled(line) {
				text := strings.Join(append(append(append([]string(nil), lines[:i]...), other), lines[i+1:]...), "\n")
				r := Judge("changed", []byte(text), Config{Profile: model.RFC9293()})
				if r.Verdict == Pass {
					t.Fatalf("%s passes with line %d %q instead of %q", c.file(), i+1, other, line)
				}
				changed++
			}
		}
	}
	t.Logf("%d changes were noticed", changed)
}

// spoiled are variants of a line that say something else.
func spoiled(line string) []string {
	words := strings.Fields(line)
	more := append([]string(nil), words...)
	more[2] = "P" + more[2]
	ack := append([]string(nil), words...)
	for i, w := range ack {
		if w == "ack" {
			ack[i+1] += "9"
		}
	}
	out := []string{"// nothing", strings.Join(more, " "), strings.Replace(line, "+0", "+.5", 1), line + "\n" + line}
	if a := strings.Join(ack, " "); a != strings.Join(words, " ") {
		out = append(out, a)
	}
	return out
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		write(t, name, got)
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs (-update rewrites it); got:\n%s", name, got)
	}
}
