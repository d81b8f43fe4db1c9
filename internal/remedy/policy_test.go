package remedy

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
)

// takeAnything is a Match for these tests: it takes causes, and knows no "nonsense".
func takeAnything(_, value string, into *diagnose.Filter) error {
	if value == "nonsense" {
		return errors.New("no such thing")
	}
	into.Causes = append(into.Causes, diagnose.Cause(value))
	return nil
}

func TestReadPolicy(t *testing.T) {
	p, err := ReadPolicy(strings.NewReader(`
apply: true
every: 30s
grace: 2m
warn-within: 6h
rules:
  - name: horizon
    match:
      program: "(wsgi:horizon)"
      cause: [eof-unread, eof-ignored]
    older-than: 5m
    degree: shutdown
    max-per-minute: 120
    only-if-open-files-above: 80%
  - match: {}
    degree: keepalive
    keepalive: {idle: 30s, interval: 5s, count: 3}
  - match: {cause: masked}
    degree: room
    open-files: 65536
`), takeAnything)
	if err != nil {
		t.Fatal(err)
	}
	want := &Policy{
		Apply: true, Every: 30 * time.Second, Grace: 2 * time.Minute, WarnWithin: 6 * time.Hour,
		Rules: []Rule{
			{Name: "horizon", Filter: diagnose.Filter{Causes: []diagnose.Cause{"eof-unread", "eof-ignored"}}, Programs: []string{"(wsgi:horizon)"},
				OlderThan: 5 * time.Minute, Degree: Shutdown, MaxPerMinute: 120, OpenFilesAbove: 0.8},
			{Name: "rule 2", Degree: KeepAlive, MaxPerMinute: 60, Probes: Probes{Idle: Seconds(30 * time.Second), Interval: Seconds(5 * time.Second), Count: 3}},
			{Name: "rule 3", Filter: diagnose.Filter{Causes: []diagnose.Cause{"masked"}}, Degree: Room, MaxPerMinute: 60, OpenFiles: 65536},
		},
	}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("read\n%+v\nwant\n%+v", p, want)
	}
}

// Every error names its line and what would be right.
func TestPolicyErrors(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"", "it is empty"},
		{"apply: true\n", "line 1: it has no rules"},
		{"rules: []\n", "line 1: it has no rules"},
		{"aply: true\n", `line 1: unknown key "aply": use apply, every, grace`},
		{"apply: maybe\n", `line 1: apply: want true or false, and got "maybe"`},
		{"apply: true\napply: false\n", "line 2: apply is there twice"},
		{"every: 5\n", `line 1: every: want a length of time from 1s`},
		{"rules: 3\n", `line 1: rules: want a list, and got "3"`},
		{"rules:\n- match: {}\n  degree: hard\n", `line 3: degree: unknown degree "hard": use auto, room`},
		{"rules:\n- degree: auto\n", "line 2: the rule has no match"},
		{"rules:\n- match: {cause: nonsense}\n", "line 2: cause: no such thing"},
		{"rules:\n- match: {colour: red}\n", `line 2: unknown key "colour": use cause, container`},
		{"rules:\n- match:\n", "want keys and values here, and got nothing"},
		{"rules:\n- match: {}\n  max-per-minute: 0\n", "line 3: max-per-minute: want a number from 1"},
		{"rules:\n- match: {}\n  only-if-open-files-above: 80\n", "line 3: only-if-open-files-above: want a percentage such as 80%"},
		{"rules:\n- match: {}\n  keepalive: {idle: 0s}\n", "line 3: idle: want a length of time from 1s"},
		{"rules: &a\n- match: {}\nevery: *a\n", "every: want a length of time"},
		{"rules: [\n", "line 1"},
		{"rules:\n- match: {}\n---\napply: true\n", "line 3: a second document begins here (---), and a policy is one"},
		{"rules:\n- match: {}\n---\n", "a second document begins here"},
		{"rules:\n- match: {}\n---\n[\n", "line 4"},
		{"# only words\n", "it is empty"},
		{"rules:\n- match: {}\n  degree: room\n  keepalive: {idle: 5s}\n", "line 4: keepalive does nothing in a rule of degree room"},
		{"rules:\n- match: {}\n  keepalive: {idle: 5s}\n  degree: destroy\n", "line 3: keepalive does nothing in a rule of degree destroy"},
		{"rules:\n- match: {}\n  open-files: 4096\n  degree: shutdown\n", "line 3: open-files does nothing in a rule of degree shutdown"},
		{"rules:\n- match: {}\n  older-than: 5m\n  degree: room\n", "line 3: older-than does nothing in a rule of degree room"},
		{"rules:\n- match:\n    cause: half-close-in-use\n", "line 3: cause: half-close-in-use is never stuck"},
		{"rules:\n- match: {cause: [eof-unread, orphan-draining]}\n", "line 2: cause: orphan-draining is never stuck"},
		{"\t", "found character"},
	} {
		_, err := ReadPolicy(strings.NewReader(row.text), takeAnything)
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%q: error is %v, want %q", row.text, err, row.want)
		}
	}
}

// With auto, every setting may come to mean something.
func TestPolicyOfEverySetting(t *testing.T) {
	const text = "---\nrules:\n- match: {}\n  keepalive: {idle: 5s}\n  open-files: 4096\n  older-than: 5m\n...\n"
	if _, err := ReadPolicy(strings.NewReader(text), takeAnything); err != nil {
		t.Error(err)
	}
}

func FuzzReadPolicy(f *testing.F) {
	f.Add("rules:\n- match: {}\n---\napply: true\n")
	f.Add("apply: true\nrules:\n- match: {cause: masked}\n  degree: room\n")
	f.Add("rules: &a [{match: *a}]")
	f.Add("? [a]\n: {b: !!int 3}\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ReadPolicy(strings.NewReader(text), takeAnything)
		if err == nil && (len(p.Rules) == 0 || p.Every < time.Second) {
			t.Errorf("%q gives %+v", text, p)
		}
	})
}
