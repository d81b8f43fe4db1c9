package report

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/closewait/closewait/internal/diagnose"
)

func renderJSON(t *testing.T, r *diagnose.Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestJSONGolden(t *testing.T) {
	for name, sample := range samples {
		golden(t, name+".json", renderJSON(t, sample()))
	}
}

// The contract's arrays are never null, whatever the report left out.
func TestJSONHasNoNullArrays(t *testing.T) {
	r := &diagnose.Report{Findings: []diagnose.Finding{{Owner: &diagnose.Owner{}, Sockets: []diagnose.SocketDetail{{}}}}}
	text := string(renderJSON(t, r))
	for _, field := range []string{"limits", "findings", "evidence", "now", "pids", "fds", "outlooks"} {
		if strings.Contains(text, `"`+field+`": null`) || !strings.Contains(text, `"`+field+`": `) {
			t.Errorf("%s is null or missing in\n%s", field, text)
		}
	}
	empty := string(renderJSON(t, &diagnose.Report{}))
	if !strings.Contains(empty, `"findings": []`) || !strings.HasSuffix(empty, "}\n") {
		t.Errorf("an empty report: %s", empty)
	}
}

// Escapes change the bytes, not the data.
func FuzzJSONIsSafe(f *testing.F) {
	f.Add(evil)
	f.Add("<a href='x'>&\u2028\U000e0041\U0001f469")
	f.Fuzz(func(t *testing.T, s string) {
		r := hostile(s, 0, true)
		r.TakenAt = taken
		text := renderJSON(t, r)
		if c, found := unsafeRune(string(text)); found {
			t.Fatalf("%U reached the output of %q", c, s)
		}
		var back diagnose.Report
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%q makes no JSON: %v", s, err)
		}
		if !utf8.ValidString(s) {
			return
		}
		if back.Host.Name != s {
			t.Fatalf("%q came back as %q", s, back.Host.Name)
		}
		if !bytes.Equal(renderJSON(t, &back), text) {
			t.Fatalf("a second round differs for %q", s)
		}
	})
}

// Every field of the contract's first level and of a finding is there.
func TestJSONFields(t *testing.T) {
	var top map[string]any
	if err := json.Unmarshal(renderJSON(t, criticalReport()), &top); err != nil {
		t.Fatal(err)
	}
	need(t, top, "schema", "host", "taken_at", "took_ms", "complete", "limits", "totals", "findings")
	finding := top["findings"].([]any)[1].(map[string]any)
	need(t, finding, "id", "cause", "stuck", "confidence", "severity", "state", "count", "owner", "direction", "local", "remote",
		"oldest", "newest", "since", "growth_per_hour", "growth_basis", "outlook", "outlooks", "exhaustion", "evidence", "advice")
	need(t, finding["owner"].(map[string]any), "pid", "pids", "title", "comm", "exe", "cmdline", "uid", "started_at", "threads", "container")
	need(t, finding["advice"].(map[string]any), "meaning", "fix", "now")
	if got := top["schema"]; !reflect.DeepEqual(got, "closewait/v1") {
		t.Errorf("schema %v", got)
	}
}

func need(t *testing.T, object map[string]any, fields ...string) {
	t.Helper()
	for _, f := range fields {
		if _, ok := object[f]; !ok {
			t.Errorf("field %q is missing", f)
		}
	}
}
